/** What every limits part promises. `limitsSuite('mine', make)` in a test file registers the tests. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Principal } from '../../gateway/principal.ts';
import { sampleArrival, sampleExchange, samplePrincipal } from '../samples.ts';
import { lifeTests, using, type Made, type Make } from '../using.ts';
import type { Allowance, Limits } from './limits.ts';

export interface LimitsCase extends Made<Limits> {
  /** How many one principal gets at once before the next is refused. Left out: this door is not limited. */
  readonly bound: { readonly reading?: number; readonly opening?: number };
}

type Take = (part: Limits, principal: Principal) => Allowance | Promise<Allowance>;

const DOORS: { readonly [D in 'reading' | 'opening']: Take } = {
  reading: (part, principal) => part.reading(principal, sampleArrival()),
  opening: (part, principal) => part.opening(sampleExchange({ principal })),
};

export function limitsSuite(name: string, make: Make<LimitsCase>): void {
  describe(`limits: ${name}`, () => {
    doorTests('reading', make);
    doorTests('opening', make);
    lifeTests(make);
  });
}

function doorTests(door: 'reading' | 'opening', make: Make<LimitsCase>): void {
  const take = DOORS[door];
  const ada = samplePrincipal('ada');
  const bob = samplePrincipal('bob');

  test(`${door}: past its bound a principal is refused, and told which limit that was`, () =>
    using(make, async ({ part, bound }) => {
      const { last } = await exhaust(part, take, ada, bound[door]);
      if (bound[door] === undefined) return assert.equal(last.allowed, true);
      assert.ok(!last.allowed);
      assert.ok(last.limit.length > 0);
      assert.ok(last.retryAfter === undefined || last.retryAfter >= 0);
    }));

  test(`${door}: a principal with a strange key is bounded like any other`, () =>
    using(make, async ({ part, bound }) => {
      const strange = samplePrincipal('strange', { key: '__proto__' });
      const { last } = await exhaust(part, take, strange, bound[door]);
      assert.equal(last.allowed, bound[door] === undefined);
    }));

  test(`${door}: what is given back twice frees one place, not two`, () =>
    using(make, async ({ part, bound }) => {
      const { taken } = await exhaust(part, take, ada, bound[door]);
      const done = taken[0]?.allowed ? taken[0].done : undefined;
      if (!done || bound[door] === undefined) return;
      done();
      done();
      assert.equal((await take(part, ada)).allowed, true);
      assert.equal((await take(part, ada)).allowed, false);
    }));

  test(`${door}: a refusal takes nothing that would have to be given back`, () =>
    using(make, async ({ part, bound }) => {
      const { taken } = await exhaust(part, take, ada, bound[door]);
      for (let again = 0; again < 3; again += 1) await take(part, ada);
      const done = taken[0]?.allowed ? taken[0].done : undefined;
      if (!done) return;
      done();
      assert.equal((await take(part, ada)).allowed, true);
    }));

  test(`${door}: a principal at its bound takes no place of another`, () =>
    using(make, async ({ part, bound }) => {
      await exhaust(part, take, ada, bound[door]);
      assert.equal((await take(part, bob)).allowed, true);
    }));
}

/** Takes `bound` places, which must all be given, and one more. */
async function exhaust(part: Limits, take: Take, principal: Principal, bound = 3) {
  const taken: Allowance[] = [];
  for (let place = 0; place < bound; place += 1) taken.push(await take(part, principal));
  assert.ok(
    taken.every(({ allowed }) => allowed),
    'a place within the bound was refused',
  );
  return { taken, last: await take(part, principal) };
}
