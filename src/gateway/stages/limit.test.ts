import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import type { Limits } from '../../components/limits/limits.ts';
import { countingLimits, fate, hang, testHouse, until } from '../house.fixture.ts';

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
  const { promise, resolve } = Promise.withResolvers<void>();
  const slow: Limits = {
    reading: (...about) => counted.reading(...about),
    opening: (exchange) => promise.then(() => counted.opening(exchange)),
  };
  const test = await testHouse({ parts: { limits: [slow] } });
  const sent = test.send('tools/call', read);
  await until(() => test.house.ledger.size > 0);
  sent.handling.cancel('agent_gone');
  resolve();
  await sent.handling.crossed;
  assert.equal(counted.taken(), 0);
  assert.equal(test.calls.length, 0);
});
