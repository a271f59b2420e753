/** What the contract suites of all kinds share. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Part } from '../gateway/component.ts';

/** One fresh part with what a suite needs to know of it. */
export interface Made<P extends Part> {
  readonly part: P;
  /** Called after the part was closed: remove files. */
  readonly clean?: () => void | Promise<void>;
}

export type Make<M> = () => M | Promise<M>;

/** Runs one test on a part of its own, and closes it whatever happens. */
export async function using<M extends Made<Part>>(
  make: Make<M>,
  run: (made: M) => void | Promise<void>,
): Promise<void> {
  const made = await make();
  try {
    await run(made);
  } finally {
    await made.part.close?.();
    await made.clean?.();
  }
}

/** What every part promises, whatever its kind. */
export function lifeTests(make: Make<Made<Part>>): void {
  test('a fresh part says that it is live, or what is the matter', () =>
    using(make, ({ part }) => {
      const health = part.health?.() ?? { state: 'live' };
      assert.ok(['live', 'degraded', 'dead'].includes(health.state));
      if (health.state !== 'live') assert.ok(health.detail.length > 0);
    }));

  test('two parts of the same configuration live side by side, and each is closed alone', () =>
    using(make, async (first) => {
      await using(make, (second) => assert.notEqual(second.part, first.part));
      assert.notEqual(first.part.health?.().state, 'dead');
    }));
}

/** The same value, and any attempt to change it throws. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  for (const key of Reflect.ownKeys(value)) frozen((value as Record<PropertyKey, unknown>)[key]);
  return Object.freeze(value);
}

/** Fails when `shown` holds one of the values anywhere, plain or as JSON writes it. The message does not repeat the value. */
export function assertHoldsNone(shown: unknown, values: readonly string[], what: string): void {
  const text = JSON.stringify(shown) ?? '';
  const leaked = values.some((value) => text.includes(value) || text.includes(JSON.stringify(value).slice(1, -1)));
  assert.ok(!leaked, `${what} holds a value that it must never hold`);
}
