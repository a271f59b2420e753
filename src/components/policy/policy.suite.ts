/** What every policy promises. `policySuite('mine', make)` in a test file registers the tests. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { samplePrincipal } from '../samples.ts';
import { frozen, lifeTests, using, type Made, type Make } from '../using.ts';
import type { Decision, Policy, Question } from './policy.ts';

export interface PolicyCase extends Made<Policy> {
  /** A question that it answers with permit. */
  readonly permitted: Question;
  /** A question that it answers with forbid or silence although the principal is known; where there is one. */
  readonly refused?: Question;
}

/** Groups that a careless look-up in an object finds. */
const STRANGERS = [
  samplePrincipal('nobody'),
  samplePrincipal('__proto__', { groups: ['__proto__', 'constructor'], tenant: 'constructor' }),
  samplePrincipal('', { groups: [''], agent: '', person: '' }),
];

export function policySuite(name: string, make: Make<PolicyCase>): void {
  describe(`policy: ${name}`, () => {
    test('nothing is permitted to a principal that no rule knows', () =>
      using(make, async ({ part, permitted }) => {
        for (const principal of STRANGERS) {
          const question = { ...permitted, principal };
          assert.notEqual((await part.decide(question)).effect, 'permit', principal.subject);
          assert.notEqual(part.release(question).effect, 'permit', principal.subject);
        }
      }));

    test('what is refused at the opening is refused at the release, and what is permitted may come back', () =>
      using(make, async ({ part, permitted, refused }) => {
        assert.equal((await part.decide(permitted)).effect, 'permit');
        assert.equal(part.release(withoutParams(permitted)).effect, 'permit');
        if (!refused) return;
        assert.notEqual((await part.decide(refused)).effect, 'permit');
      }));

    test('a permit and a forbid name the rules that made them', () =>
      using(make, async ({ part, permitted, refused }) => {
        const decisions = [await part.decide(permitted), part.release(permitted)];
        if (refused) decisions.push(await part.decide(refused));
        for (const decision of decisions) assertExplained(decision);
      }));

    test('a question whose arguments are not known yet is answered: may it be listed?', () =>
      using(make, async ({ part, permitted }) => {
        const { effect } = await part.decide({ ...permitted, params: undefined });
        assert.ok(['permit', 'silence', 'forbid'].includes(effect));
      }));

    test('the release is decided at once, without a promise', () =>
      using(make, ({ part, permitted }) => {
        assert.ok(!(part.release(withoutParams(permitted)) instanceof Promise));
      }));

    test('the same question has the same answer, and the question is not changed', () =>
      using(make, async ({ part, permitted, refused }) => {
        for (const question of [permitted, ...(refused ? [refused] : [])].map((one) => frozen(structuredClone(one)))) {
          assert.deepEqual(await part.decide(question), await part.decide(question));
          assert.deepEqual(part.release(question), part.release(question));
        }
      }));

    test('the epoch is a number that does not move while nothing that decides has changed', () =>
      using(make, async ({ part, permitted }) => {
        const before = part.epoch();
        assert.ok(Number.isSafeInteger(before));
        await part.decide(permitted);
        part.release(permitted);
        assert.equal(part.epoch(), before);
      }));

    lifeTests(make);
  });
}

function withoutParams(question: Question): Omit<Question, 'params'> {
  return { ...question, params: undefined } as Omit<Question, 'params'>;
}

function assertExplained(decision: Decision): void {
  switch (decision.effect) {
    case 'silence':
      return;
    case 'permit':
    case 'forbid':
      assert.ok(decision.rules.length > 0, `a ${decision.effect} names no rule`);
      for (const rule of decision.rules) assert.ok(rule.length > 0);
  }
}
