import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import { fate, permitAll, stops, testHouse } from '../house.fixture.ts';

verifies('admit.listed', 'a server that is not admitted is not reached, although policy permits it', async () => {
  const test = await testHouse({ parts: { policy: permitAll } });
  assert.equal(await fate(test.send('tools/call', { name: 'unapproved.read' })), 'not_admitted');
  assert.deepEqual(stops(test.records), ['inward:admit not_admitted']);
  assert.equal(test.calls.length, 0);
  assert.equal(await fate(test.send('tools/call', { name: 'files.read' })), 'close');
});

verifies('observe.limited', 'observe mode does not admit what is not admitted', async () => {
  const test = await testHouse({ settings: { mode: 'observe' } });
  assert.equal(await fate(test.send('tools/call', { name: 'unapproved.read' })), 'not_admitted');
});
