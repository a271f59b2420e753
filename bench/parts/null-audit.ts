/** Keeps nothing: what the record costs is the difference to this. */
import { z } from 'zod';
import { defineComponent } from '../../src/component.ts';
import type { Audit } from '../../src/component.ts';

export const component = defineComponent({
  kind: 'audit',
  use: 'null-audit',
  config: z.strictObject({}),
  create: (): Audit => ({ keep: () => undefined }),
});
