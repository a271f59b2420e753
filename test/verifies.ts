/** Tests that keep a promise of `requirements.ts` cite it: the manifest and the tests are held together by its id. */
import { test } from 'node:test';
import type { RequirementId } from './requirements.ts';

/** A test whose failing means that the promise `id` is not kept. Its title is a sentence; the id follows in brackets. */
export function verifies(id: RequirementId, title: string, run: () => void | Promise<void>): void {
  test(`${title} [${id}]`, run);
}
