import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import { fate, stops, testHouse } from '../house.fixture.ts';

verifies('resolve.hidden', 'a tool that the catalog does not show reaches no server and no policy', async () => {
  const test = await testHouse();
  assert.equal(await fate(test.send('tools/call', { name: 'nothing' })), 'tool_unknown');
  assert.deepEqual(stops(test.records), ['inward:resolve tool_unknown']);
  assert.equal(test.journal.includes('policy.decide'), false);
  assert.equal(await fate(test.send('tools/call', { name: 'read' })), 'close');
});

verifies('resolve.hidden', 'the endpoint of a server that does not exist is refused to the owner too', async () => {
  const test = await testHouse();
  const at = (server: string) => test.send('tools/list', {}, { endpoint: { kind: 'server', server } });
  assert.equal(await fate(at('nowhere')), 'server_unknown');
  assert.equal(await fate(at('files')), 'close');
});
