import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import type { Identity } from '../../components/identity/identity.ts';
import { fate, testHouse, testIdentity, testPrincipal } from '../house.fixture.ts';

const everybody: Identity = { identify: () => ({ known: true, principal: testPrincipal('ana') }) };
const later: Identity = { identify: async (arrival) => testIdentity.identify(arrival) };

verifies('identity.required', 'whoever brings no proof is refused before anything is read or asked', async () => {
  const test = await testHouse();
  assert.equal(await fate(test.send('tools/call', { name: 'read' }, { as: '' })), 'unauthenticated');
  assert.deepEqual(test.journal, ['identity.identify', 'audit.refusal', 'reply.refuse']);
  assert.equal(await fate(test.send('tools/call', { name: 'read' }, { as: 'ana' })), 'close');
});

verifies('identity.required', 'a stranger cannot tell the servers that exist from those that do not', async () => {
  const test = await testHouse();
  for (const server of ['files', 'nowhere']) {
    const sent = test.send('tools/list', {}, { as: '', endpoint: { kind: 'server', server } });
    assert.equal(await fate(sent), 'unauthenticated');
  }
  assert.equal(
    await fate(test.send('tools/list', {}, { endpoint: { kind: 'server', server: 'nowhere' } })),
    'server_unknown',
  );
});

verifies('identity.no-fallback', 'a wrong proof is refused although the next part would know everybody', async () => {
  const test = await testHouse({ parts: { identity: [testIdentity, everybody] } });
  assert.equal(await fate(test.send('tools/list', {}, { as: 'forged' })), 'credentials_rejected');
  assert.equal(await fate(test.send('tools/list', {}, { as: '' })), 'close');
});

verifies('identity.no-fallback', 'a part that has to wait decides as one that has not', async () => {
  const test = await testHouse({ parts: { identity: [later, everybody] } });
  assert.equal(await fate(test.send('tools/list', {}, { as: 'forged' })), 'credentials_rejected');
  assert.equal(await fate(test.send('tools/list', {}, { as: '' })), 'close');
});

verifies('identity.required', 'a gateway without identity parts lets nobody in', async () => {
  const test = await testHouse({ parts: { identity: [] } });
  assert.equal(await fate(test.send('tools/list')), 'unauthenticated');
});
