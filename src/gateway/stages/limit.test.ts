import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import type { Ended, Limits } from '../../components/limits/limits.ts';
import { countingLimits, fate, hang, permitAll, result, testHouse, until } from '../house.fixture.ts';

const closed: Limits = {
  reading: () => ({ allowed: true, done: undefined }),
  opening: () => ({ allowed: false, limit: 'closed', retryAfter: undefined }),
};
const read = { name: 'read' };

verifies(
  'limit.bounded',
  'a limit that is reached refuses before anything is attempted, and gives back the others',
  async () => {
    const first = countingLimits();
    const test = await testHouse({ parts: { limits: [first, closed] } });
    assert.equal(await fate(test.send('tools/call', read)), 'limit_reached');
    assert.equal(test.calls.length, 0);
    assert.equal(first.taken(), 0);
  },
);

verifies('limit.bounded', 'the agent is told when to come again, and that it goes in circles', async () => {
  const answers = [
    { limit: 'daily', retryAfter: 61_500 },
    { limit: 'loop', retryAfter: 2_000, loop: true },
  ];
  const limits: Limits = { ...closed, opening: () => ({ allowed: false, ...answers.shift()! }) };
  const test = await testHouse({ parts: { limits: [limits] } });
  const { verdict: late } = await test.send('tools/call', read).over;
  assert.equal(late?.tell, 'A limit is reached; try again in 62 s.');
  assert.deepEqual(late?.data, { retryAfterMs: 61_500 });
  assert.equal(late?.detail, 'daily');
  assert.equal(await fate(test.send('tools/call', read)), 'loop_detected');
});

/** What a limit was told of every exchange. */
function noted(): Limits & { readonly ends: (Ended | undefined)[] } {
  const ends: (Ended | undefined)[] = [];
  return { ...closed, ends, opening: () => ({ allowed: true, done: (ended) => void ends.push(ended) }) };
}

verifies('limit.bounded', 'a limit learns that a call was refused later, failed, or what it brought back', async () => {
  const limits = noted();
  const test = await testHouse({ parts: { limits: [limits] } });
  assert.equal(await fate(test.send('tools/call', read, { as: 'eve' })), 'not_permitted');
  test.script = ({ outlet }) => outlet.fail('upstream_lost', 'gone');
  await test.send('tools/call', read).over;
  test.script = ({ outlet }) => outlet.close(result('tools/call', { content: [] }));
  await test.send('tools/call', read).over;
  assert.deepEqual(limits.ends.slice(0, 2), [
    { status: 'refused', sent: false, bytes: 0 },
    { status: 'failed', sent: true, bytes: 0 },
  ]);
  const { status, sent, bytes } = limits.ends[2]!;
  assert.deepEqual([status, sent, bytes > 40], ['result', true, true]);
});

verifies('limit.bounded', 'an answer that may not go out was asked for all the same', async () => {
  const limits = noted();
  const policy = { ...permitAll, release: () => ({ effect: 'silence' }) as const };
  const test = await testHouse({ parts: { limits: [limits], policy } });
  assert.equal(await fate(test.send('tools/call', read)), 'release_refused');
  assert.equal(limits.ends[0]?.sent, true);
});

verifies('limit.bounded', 'an open call is counted until it ends', async () => {
  const limits = countingLimits();
  const test = await testHouse({ parts: { limits: [limits] } });
  test.script = hang;
  const sent = test.send('tools/call', read);
  await sent.handling.crossed;
  assert.equal(limits.taken(), 1);
  sent.handling.cancel('agent_cancelled');
  assert.equal(limits.taken(), 0);
});

verifies('limit.bounded', 'what a slow limit gives to a call that ended meanwhile is given back at once', async () => {
  const counted = countingLimits();
  const told: (Ended | undefined)[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const slow: Limits = {
    reading: (...about) => counted.reading(...about),
    opening: async (exchange) => {
      await promise;
      const allowance = await counted.opening(exchange);
      return allowance.allowed
        ? { ...allowance, done: (ended) => (told.push(ended), allowance.done?.(ended)) }
        : allowance;
    },
  };
  const test = await testHouse({ parts: { limits: [slow] } });
  const sent = test.send('tools/call', read);
  await until(() => test.house.ledger.size > 0);
  sent.handling.cancel('agent_gone');
  resolve();
  await sent.handling.crossed;
  assert.equal(counted.taken(), 0);
  assert.deepEqual(
    told.map((ended) => ended?.sent),
    [false],
  );
  assert.equal(test.calls.length, 0);
});
