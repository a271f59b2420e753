import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import type { Inspection } from '../../components/inspection/inspection.ts';
import type { Policy } from '../../components/policy/policy.ts';
import type { Facts } from '../stage.ts';
import { event, fate, permitAll, result, stops, testHouse } from '../house.fixture.ts';

/** Refuses what holds the word, whichever way it goes. */
const against = (word: string): Inspection => ({
  inspect: ({ doc }) => ({ findings: [], facts: {}, refuse: doc.bytes.includes(word) ? `found ${word}` : undefined }),
});

verifies('inspect.refuses', 'arguments that an inspection refuses reach no server', async () => {
  const test = await testHouse({ parts: { inspection: [against('nothing here'), against('evil')] } });
  assert.equal(await fate(test.send('tools/call', { name: 'read', arguments: { a: 'evil' } })), 'inspection_refused');
  assert.equal(test.calls.length, 0);
  assert.equal(await fate(test.send('tools/call', { name: 'read', arguments: { a: 'good' } })), 'close');
});

verifies('answer.inspected', 'a result and an event that an inspection refuses do not reach the agent', async () => {
  const test = await testHouse({ parts: { inspection: [against('evil')] } });
  test.script = ({ outlet }) => {
    void outlet.event(event('notifications/progress', { progressToken: 1, message: 'evil' }));
    void outlet.event(event('notifications/progress', { progressToken: 1, message: 'good' }));
    outlet.close(result('tools/call', { text: 'evil' }));
  };
  const sent = test.send('tools/call', { name: 'read' });
  assert.equal(await fate(sent), 'inspection_refused');
  assert.deepEqual(
    sent.said.map(({ what }) => what),
    ['event', 'fail'],
  );
  assert.deepEqual(stops(test.records), ['outward:inspect inspection_refused']);
});

verifies('inspect.refuses', 'facts of an inspection are there when policy decides', async () => {
  const seen: Facts[] = [];
  const policy: Policy = {
    ...permitAll,
    decide: (question) => (seen.push(question.facts), permitAll.decide(question)),
  };
  const facts: Inspection = { inspect: async () => ({ findings: [], facts: { host: 'a.test' }, refuse: undefined }) };
  const test = await testHouse({ parts: { policy, inspection: [facts] } });
  assert.equal(await fate(test.send('tools/call', { name: 'read' })), 'close');
  assert.deepEqual(seen, [{ host: 'a.test' }]);
});
