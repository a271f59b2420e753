import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import type { Limits } from '../../components/limits/limits.ts';
import { countingLimits, fate, testHouse } from '../house.fixture.ts';

const full: Limits = {
  reading: () => ({ allowed: false, limit: 'full', retryAfter: 7 }),
  opening: () => ({ allowed: true, done: undefined }),
};

verifies('throttle.before-read', 'a caller at its bound is refused unread and told when to come again', async () => {
  const test = await testHouse({ parts: { limits: [full] } });
  const { verdict } = await test.send('tools/list').over;
  assert.equal(verdict?.reason, 'throttled');
  assert.deepEqual(verdict?.data, { retryAfterMs: 7 });
  assert.equal(test.journal.includes('body'), false);
});

verifies('throttle.before-read', 'what a first part gave is given back when a second one refuses', async () => {
  const first = countingLimits();
  const test = await testHouse({ parts: { limits: [first, full] } });
  assert.equal(await fate(test.send('tools/list')), 'throttled');
  assert.equal(first.taken(), 0);
});

verifies('throttle.before-read', 'reading is bounded while it lasts, and free again afterwards', async () => {
  const limits = countingLimits();
  const test = await testHouse({ parts: { limits: [limits] } });
  const sent = test.send('tools/list');
  assert.equal(limits.taken(), 1);
  assert.equal(await fate(sent), 'close');
  assert.equal(limits.taken(), 0);
});
