import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import type { Policy } from '../../components/policy/policy.ts';
import type { Obligation } from '../verdict.ts';
import { fate, permitAll, stops, testHouse } from '../house.fixture.ts';

const permitting = (...obligations: Obligation[]): Policy => ({
  ...permitAll,
  decide: () => ({ effect: 'permit', rules: ['r'], obligations }),
});

verifies('approve.holds', 'a call that policy holds for a person is not made', async () => {
  const test = await testHouse({ parts: { policy: permitting({ kind: 'hold', group: 'security' }) } });
  assert.equal(await fate(test.send('tools/call', { name: 'read' })), 'approval_unavailable');
  assert.deepEqual(stops(test.records), ['inward:approve approval_unavailable']);
  assert.equal(test.calls.length, 0);
});

verifies('approve.holds', 'a call that policy only wants somebody to hear of is made', async () => {
  const test = await testHouse({ parts: { policy: permitting({ kind: 'notify', whom: 'security' }) } });
  assert.equal(await fate(test.send('tools/call', { name: 'read' })), 'close');
});
