import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import type { Decision, Policy } from '../../components/policy/policy.ts';
import { fate, permitAll, stops, testHouse } from '../house.fixture.ts';

const read = { name: 'read' };
const deciding = (decide: () => Decision | Promise<Decision>): Policy => ({ ...permitAll, decide });

verifies(
  'policy.default-deny',
  'whom no rule permits is refused, before a credential is issued or a server asked',
  async () => {
    const test = await testHouse();
    assert.equal(await fate(test.send('tools/call', read, { as: 'eve' })), 'not_permitted');
    assert.deepEqual(stops(test.records), ['inward:authorize not_permitted']);
    assert.equal(test.journal.includes('credentials.issue'), false);
    assert.equal(test.calls.length, 0);
    assert.equal(await fate(test.send('tools/call', read, { as: 'bob' })), 'close');
  },
);

verifies('policy.default-deny', 'a rule that forbids is named in the record and not to the agent', async () => {
  const test = await testHouse({ parts: { policy: deciding(() => ({ effect: 'forbid', rules: ['no-reading'] })) } });
  const { verdict } = await test.send('tools/call', read).over;
  assert.equal(verdict?.reason, 'forbidden');
  assert.equal(verdict?.data, undefined);
  const refusal = test.records.find((record) => record.type === 'refusal');
  assert.deepEqual(refusal?.rules, ['no-reading']);
});

verifies('policy.default-deny', 'a policy that has to wait is waited for', async () => {
  const test = await testHouse({ parts: { policy: deciding(async () => ({ effect: 'silence' })) } });
  assert.equal(await fate(test.send('tools/call', read)), 'not_permitted');
  assert.equal(test.calls.length, 0);
});

verifies('fail.closed', 'a policy that answers with a word it does not have permits nothing', async () => {
  for (const answer of [{ effect: 'allow' }, { effect: 'permit' }, undefined, true]) {
    const test = await testHouse({ parts: { policy: deciding(() => answer as Decision) } });
    assert.equal(await fate(test.send('tools/call', read)), 'stage_failed');
    assert.equal(test.calls.length, 0);
  }
});
