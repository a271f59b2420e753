import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { verifies } from '../../../../test/verifies.ts';
import type { Exchange } from '../../../gateway/exchange.ts';
import { methodRow } from '../../../gateway/methods.ts';
import { manualClock } from '../../../lib/clock.ts';
import { sampleArrival, sampleCall, sampleExchange, samplePrincipal } from '../../samples.ts';
import { limitsSuite } from '../limits.suite.ts';
import type { Allowance, Ended, Limits } from '../limits.ts';
import { depsWith, memoryCounters } from './counters.fixture.ts';
import { quotas } from './quotas.ts';

const ada = samplePrincipal('ada');
const bob = samplePrincipal('bob');
const SENT: Ended = { status: 'result', sent: true, bytes: 0 };
const UNSENT: Ended = { status: 'refused', sent: false, bytes: 0 };

async function begun(rules: readonly object[], more: object = { loop: false }, deps = depsWith(memoryCounters())) {
  return quotas.create(quotas.config.parse({ rules, ...more }), deps);
}

function callOf(server: string, name: string, more: Partial<Exchange> = {}): Exchange {
  return sampleExchange({
    principal: ada,
    target: { of: 'definition', server, kind: 'tool', name, definition: undefined },
    ...more,
  });
}

const call = callOf('files', 'read');
const asked = async (part: Limits, exchange: Exchange = call): Promise<string> => {
  const allowance = await part.opening(exchange);
  return allowance.allowed ? 'yes' : allowance.limit;
};
const askedTimes = async (part: Limits, times: number, exchange?: Exchange): Promise<string[]> => {
  const answers: string[] = [];
  for (let time = 0; time < times; time += 1) answers.push(await asked(part, exchange));
  return answers;
};
const taken = async (part: Limits, exchange: Exchange = call): Promise<Allowance & { allowed: true }> => {
  const allowance = await part.opening(exchange);
  assert.ok(allowance.allowed);
  return allowance;
};

limitsSuite('quotas: concurrency', async () => ({
  part: await begun([{ name: 'open', per: ['agent'], concurrency: 3 }]),
  bound: { opening: 3 },
}));

limitsSuite('quotas: nothing configured', async () => ({ part: await begun([], {}), bound: {} }));

const loop = { loop: { calls: 3, window: '1m' } };
const with_ = (given: object, more: Partial<Exchange> = {}) =>
  callOf('files', 'read', { opening: sampleCall('read', given as never), ...more });

verifies('quotas.bounded', 'a rule that is reached is named with its limit, and says when to come again', async () => {
  const clock = manualClock(Date.UTC(2026, 0, 1, 18));
  const part = await begun([{ name: 'daily', quota: '2/day' }], {}, depsWith(memoryCounters(), clock));
  await askedTimes(part, 2);
  assert.deepEqual(await part.opening(call), {
    allowed: false,
    limit: 'daily: quota 2/day',
    retryAfter: 6 * 3_600_000,
  });
});

verifies('quotas.bounded', 'quotas are exact under any schedule of several processes, and all come back', async () => {
  const step = fc.record({ part: fc.nat(2), pause: fc.nat(8_000), what: fc.constantFrom('call', 'rest', 'restart') });
  const schedule = fc.array(step, { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(schedule, fc.integer({ min: 1, max: 30 }), async (steps, limit) => {
      const counters = memoryCounters();
      const clock = manualClock(Date.UTC(2026, 0, 1));
      const rules = [{ name: 'q', quota: `${limit}/day`, lease: 4 }];
      const make = () => begun(rules, { loop: false }, depsWith(counters, clock));
      const parts = [await make(), await make(), await make()];
      let allowed = 0;
      for (const { part, pause, what } of steps) {
        clock.advance(pause);
        if (what === 'restart') {
          await parts[part]!.close?.();
          parts[part] = await make();
        } else {
          const some = what === 'call' ? 1 : 3;
          const answers = await Promise.all(Array.from({ length: some }, () => asked(parts[part]!)));
          allowed += answers.filter((answer) => answer === 'yes').length;
        }
        assert.ok(allowed <= limit && allowed <= counters.total());
      }
      await Promise.all(parts.map(async (part) => part.close?.()));
      assert.equal(counters.total(), allowed);
    }),
    { numRuns: 60 },
  );
});

verifies('quotas.loop', 'the same call again and again is refused as a loop, until the agent pauses', async () => {
  const clock = manualClock();
  const part = await begun([], loop, depsWith(memoryCounters(), clock));
  for (const given of [
    { path: 'a', depth: 1 },
    { depth: 1, path: 'a' },
    { path: 'a', depth: 1 },
  ]) {
    clock.advance(1_000);
    assert.equal(await asked(part, with_(given)), 'yes');
  }
  const refusal = await part.opening(with_({ path: 'a', depth: 1 }));
  assert.ok(!refusal.allowed && refusal.loop);
  assert.match(refusal.limit, /^loop: the same call 3 times/);
  assert.equal(refusal.retryAfter, 58_000);
  clock.advance(58_000);
  assert.equal(await asked(part, with_({ path: 'a', depth: 1 })), 'yes');
});

describe('a rule that is reached', () => {
  test('of several that match, one is enough, and the others lose nothing', async () => {
    const counters = memoryCounters();
    const rules = [
      { name: 'wide', quota: '100/day' },
      { name: 'fast', rate: '50/1m' },
      { name: 'narrow', match: { tools: ['read'] }, quota: '1/day' },
    ];
    const part = await begun(rules, {}, depsWith(counters));
    assert.deepEqual(await askedTimes(part, 3), ['yes', 'narrow: quota 1/day', 'narrow: quota 1/day']);
    await part.close?.();
    assert.equal(counters.total(), 2, 'one call, counted by each of the two quotas');
  });

  test('while the store does not answer, the call is refused by an error and nothing is kept', async () => {
    const counters = memoryCounters();
    const part = await begun(
      [
        { name: 'open', concurrency: 1 },
        { name: 'daily', quota: '5/day' },
      ],
      {},
      depsWith(counters),
    );
    counters.broken = true;
    await assert.rejects(async () => part.opening(call), /does not answer/);
    counters.broken = false;
    assert.equal(await asked(part), 'yes');
  });
});

describe('rate', () => {
  test('past its burst a caller waits for the next token, and is told how long', async () => {
    const clock = manualClock();
    const deps = depsWith(memoryCounters(), clock);
    const part = await begun([{ name: 'slow', per: ['agent'], rate: '60/1m', burst: 2 }], { loop: false }, deps);
    await askedTimes(part, 2);
    assert.deepEqual(await part.opening(call), { allowed: false, limit: 'slow: rate 60/1m', retryAfter: 1000 });
    assert.equal(await asked(part, callOf('files', 'read', { principal: bob })), 'yes');
    clock.advance(1000);
    assert.deepEqual(await askedTimes(part, 2), ['yes', 'slow: rate 60/1m']);
  });

  test('within any stretch of time there are no more calls than the burst and the rate give', async () => {
    const schedule = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(schedule, fc.integer({ min: 1, max: 5 }), async (pauses, burst) => {
        const clock = manualClock();
        const part = await begun(
          [{ name: 'r', rate: '10/1s', burst }],
          { loop: false },
          depsWith(memoryCounters(), clock),
        );
        const times: number[] = [];
        for (const pause of pauses) {
          clock.advance(pause);
          if ((await asked(part)) === 'yes') times.push(clock.now());
        }
        for (const [first, from] of times.entries())
          for (const [last, to] of times.entries())
            if (last >= first) assert.ok(last - first + 1 <= burst + (to - from) / 100 + 1e-6);
      }),
      { numRuns: 60 },
    );
  });
});

describe('places', () => {
  test('that several share are never all in one hand, and a newcomer finds one', async () => {
    const part = await begun([{ name: 'files', per: ['server'], concurrency: 8 }]);
    const answers = await askedTimes(part, 8);
    assert.deepEqual(answers.slice(0, 4), ['yes', 'yes', 'yes', 'yes']);
    assert.equal(answers[4], 'files: share of concurrency 8');
    assert.equal(await asked(part, callOf('files', 'read', { principal: bob })), 'yes');
    for (const name of ['cy', 'di']) {
      assert.equal(await asked(part, callOf('files', 'read', { principal: samplePrincipal(name) })), 'yes');
    }
  });

  test('of one agent are all its own, and all come back', async () => {
    const part = await begun([{ name: 'mine', per: ['agent'], concurrency: 2 }]);
    for (let round = 0; round < 5; round += 1) {
      const both = [await taken(part), await taken(part)];
      assert.equal(await asked(part), 'mine: concurrency 2');
      for (const { done } of both) done?.(UNSENT);
    }
  });
});

describe('quotas', () => {
  test('are exact when calls come back unsent, at any moment and also after their window', async () => {
    const step = fc.record({ pause: fc.nat(25_000), what: fc.constantFrom('call', 'calls', 'sent', 'unsent') });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const clock = manualClock(Date.UTC(2026, 0, 1));
        const rules = [{ name: 'q', quota: '5/minute', lease: 3 }];
        const part = await begun(rules, { loop: false }, depsWith(memoryCounters(), clock));
        const minute = () => Math.floor(clock.now() / 60_000);
        const open: { done: (ended: Ended) => void; at: number }[] = [];
        const counted = new Map<number, number>();
        for (const { pause, what } of steps) {
          clock.advance(pause);
          const one = open.shift();
          if (what === 'sent' || what === 'unsent') one?.done(what === 'sent' ? SENT : UNSENT);
          else if (one) open.unshift(one);
          if (what === 'unsent' && one) counted.set(one.at, counted.get(one.at)! - 1);
          const wanted = what === 'call' ? 1 : what === 'calls' ? 4 : 0;
          const answers = await Promise.all(Array.from({ length: wanted }, async () => part.opening(call)));
          for (const answer of answers) {
            if (!answer.allowed) continue;
            open.push({ done: answer.done!, at: minute() });
            counted.set(minute(), (counted.get(minute()) ?? 0) + 1);
          }
          assert.ok((counted.get(minute()) ?? 0) <= 5);
        }
        await part.close?.();
      }),
      { numRuns: 100 },
    );
  });

  test('that roll never let more through in any stretch of their length', async () => {
    const schedule = fc.array(fc.integer({ min: 0, max: 4_000 }), { maxLength: 120 });
    await fc.assert(
      fc.asyncProperty(schedule, async (pauses) => {
        const clock = manualClock();
        const rules = [{ name: 'q', quota: '5/10s' }];
        const part = await begun(rules, { loop: false }, depsWith(memoryCounters(), clock));
        const times: number[] = [];
        for (const pause of pauses) {
          clock.advance(pause);
          if ((await asked(part)) === 'yes') times.push(clock.now());
        }
        for (const time of times) {
          assert.ok(times.filter((other) => other > time - 10_000 && other <= time).length <= 5);
        }
        await part.close?.();
      }),
      { numRuns: 60 },
    );
  });

  test('begin anew with their window', async () => {
    const clock = manualClock(Date.UTC(2026, 0, 1, 23, 59));
    const part = await begun([{ name: 'q', quota: '1/day' }], {}, depsWith(memoryCounters(), clock));
    assert.deepEqual(await askedTimes(part, 2), ['yes', 'q: quota 1/day']);
    clock.advance(60_000);
    assert.equal(await asked(part), 'yes');
  });

  test('do not count what a later stage refused', async () => {
    const part = await begun([{ name: 'q', quota: '1/day' }], {});
    (await taken(part)).done?.(UNSENT);
    (await taken(part)).done?.(SENT);
    assert.equal(await asked(part), 'q: quota 1/day');
  });

  test('ask the store once a lease, and once for all who wait', async () => {
    const counters = memoryCounters();
    const part = await begun([{ name: 'q', quota: '10000/day' }], { loop: false }, depsWith(counters));
    await Promise.all(Array.from({ length: 50 }, () => asked(part)));
    assert.equal(counters.asked, 1);
    await askedTimes(part, 150);
    assert.ok(counters.asked <= 3, `${counters.asked} questions`);
  });

  test('that one process leaves unused are there for another', async () => {
    const counters = memoryCounters();
    const clock = manualClock();
    const rules = [{ name: 'q', quota: '8/day', lease: 8 }];
    const [one, two] = [
      await begun(rules, {}, depsWith(counters, clock)),
      await begun(rules, {}, depsWith(counters, clock)),
    ];
    await asked(one);
    await one.close?.();
    const answers = await askedTimes(two, 8);
    assert.equal(answers.filter((answer) => answer === 'yes').length, 7);
  });

  test('of one caller are not touched by a caller whose names run into another', async () => {
    const part = await begun([{ name: 'q', per: ['person', 'tool'], quota: '1/day' }], {});
    const of = (person: string, name: string) =>
      callOf('files', name, { principal: samplePrincipal(person, { person }) });
    assert.equal(await asked(part, of('a|1:b', 'c')), 'yes');
    assert.equal(await asked(part, of('a', 'b|1:c')), 'yes');
    assert.equal(await asked(part, of('a', 'b|1:c')), 'q: quota 1/day');
  });
});

describe('budgets and bytes', () => {
  const rule = { name: 'money', budget: { unit: 'EUR', limit: 1, window: 'month', weights: {}, charge: 'result' } };

  test('a budget is spent by weight, a tool before its server, and nothing else costs', async () => {
    const weights = { web: 0.25, 'web/search': 0.5 };
    const part = await begun([{ ...rule, budget: { ...rule.budget, weights } }]);
    (await taken(part, callOf('web', 'search'))).done?.(SENT);
    (await taken(part, callOf('web', 'fetch'))).done?.(SENT);
    assert.equal(await asked(part, callOf('web', 'search')), 'money: budget 1 EUR/month');
    assert.equal(await asked(part, callOf('web', 'fetch')), 'yes');
    assert.equal(await asked(part, callOf('web', 'fetch')), 'money: budget 1 EUR/month');
    assert.equal(await asked(part), 'yes');
  });

  test('where only results are charged, a failure costs nothing', async () => {
    const part = await begun([{ ...rule, budget: { ...rule.budget, other: 1 } }]);
    (await taken(part)).done?.({ ...SENT, status: 'failed' });
    (await taken(part)).done?.(SENT);
    assert.equal(await asked(part), 'money: budget 1 EUR/month');
  });

  test('bytes of answers are owed, and refuse the next call', async () => {
    const counters = memoryCounters();
    const part = await begun([{ name: 'b', bytes: '10KB/hour' }], { loop: false }, depsWith(counters));
    (await taken(part)).done?.({ ...SENT, bytes: 50_000 });
    assert.equal(await asked(part), 'b: bytes 10KB/hour');
    await part.close?.();
    assert.ok(counters.total() >= 50_000, 'what was passed stands in the store');
  });

  test('bytes that come after the part was closed are still told to the store', async () => {
    const counters = memoryCounters();
    const part = await begun([{ name: 'b', bytes: '1MB/hour' }], { loop: false }, depsWith(counters));
    const late = await taken(part);
    await part.close?.();
    const before = counters.total();
    late.done?.({ ...SENT, bytes: 5_000 });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.equal(counters.total(), before + 5_000);
  });
});

describe('loops', () => {
  test('other arguments, tools, servers, runs and callers are other calls', async () => {
    const part = await begun([], loop);
    await askedTimes(part, 3, with_({ id: 1 }));
    const others = [
      with_({ id: 2 }),
      with_({ id: '1' }),
      with_({ id: [1] }),
      with_({ id: 1 }, { run: 'another' }),
      with_({ id: 1 }, { principal: bob }),
      callOf('web', 'read', { opening: sampleCall('read', { id: 1 }) }),
      callOf('files', 'write', { opening: sampleCall('write', { id: 1 }) }),
    ];
    for (const other of others) assert.equal(await asked(part, other), 'yes');
    assert.notEqual(await asked(part, with_({ id: 1 })), 'yes');
  });

  test('a retry of a call that was asked something, and a list, are no loop', async () => {
    const part = await begun([], loop);
    const retry = with_({ id: 1 }, { resumes: 'the call before' });
    const list = sampleExchange({
      row: methodRow('agent', 'tools/list')!,
      target: { of: 'servers', servers: ['files'] },
    });
    for (const exchange of [retry, list]) {
      assert.deepEqual(await askedTimes(part, 5, exchange), ['yes', 'yes', 'yes', 'yes', 'yes']);
    }
  });
});

describe('rules', () => {
  test('leave alone what they do not match', async () => {
    const matches = [
      { servers: ['web'] },
      { tools: ['write*'] },
      { actions: ['prompt.*'] },
      { groups: ['guests'] },
      { servers: ['files'], tools: ['write'] },
    ];
    for (const match of matches) {
      const part = await begun([{ name: 'r', match, rate: '1/1m' }]);
      assert.deepEqual(await askedTimes(part, 3), ['yes', 'yes', 'yes'], JSON.stringify(match));
    }
  });

  test('bind what they match', async () => {
    const matches = [{}, { servers: ['files'] }, { tools: ['re*'] }, { actions: ['*'] }];
    for (const match of matches) {
      const part = await begun([{ name: 'r', match, rate: '1/1m' }]);
      assert.deepEqual(await askedTimes(part, 2), ['yes', 'r: rate 1/1m'], JSON.stringify(match));
    }
  });

  test('that say nothing, or what cannot be, are faults of the configuration', () => {
    const wrong = [
      { name: 'r' },
      { name: 'r', rate: '0/1m' },
      { name: 'r', rate: '10/day' },
      { name: 'r', rate: '10/1ms' },
      { name: 'r', quota: '10' },
      { name: 'r', quota: '10/fortnight' },
      { name: 'r', quota: '10/day/day' },
      { name: 'r', bytes: '10/day' },
      { name: 'r', burst: 3, quota: '1/day' },
      { name: 'R!', rate: '1/1m' },
      { name: 'r', per: ['colour'], rate: '1/1m' },
      { name: 'r', rate: '1/1m', brust: 2 },
    ];
    for (const rule of wrong)
      assert.equal(quotas.config.safeParse({ rules: [rule] }).success, false, JSON.stringify(rule));
    const twice = { name: 'r', rate: '1/1m' };
    assert.equal(quotas.config.safeParse({ rules: [twice, twice] }).success, false);
    assert.equal(quotas.config.safeParse({ zone: 'Mars/Olympus' }).success, false);
  });

  test('that name a server which is not there do not start: they would limit nothing', async () => {
    const budget = { unit: 'EUR', limit: 1, window: 'day', weights: { 'wep/search': 1 } };
    for (const rule of [{ match: { servers: ['wep'] }, rate: '1/1m' }, { budget }]) {
      await assert.rejects(() => begun([{ name: 'r', ...rule }]), /"r" names the server "wep": name one of files, web/);
    }
  });

  test('are not asked before a message is read', async () => {
    const part = await begun([{ name: 'r', rate: '1/1m' }]);
    for (let time = 0; time < 3; time += 1) assert.equal(part.reading(ada, sampleArrival()).allowed, true);
  });
});
