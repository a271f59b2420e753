import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import type { Credentials } from '../../components/credentials/credentials.ts';
import { fate, SECRET, testHouse } from '../house.fixture.ts';

verifies('credential.issued', 'a call whose credential is not available is not made', async () => {
  const none: Credentials = { issue: async () => ({ issued: false, detail: '${env:TOKEN} is not set' }) };
  const test = await testHouse({ parts: { credentials: new Map([['files', none]]) } });
  assert.equal(await fate(test.send('tools/call', { name: 'files.read' })), 'credential_unavailable');
  assert.equal(test.calls.length, 0);
  assert.equal(await fate(test.send('tools/call', { name: 'web.read' })), 'close');
});

verifies('credential.issued', 'a server gets its own credential and no other server gets it', async () => {
  const test = await testHouse();
  await test.send('tools/call', { name: 'files.read' }).over;
  await test.send('tools/call', { name: 'web.read' }).over;
  assert.deepEqual(
    test.calls.map(({ grant }) => grant?.headers),
    [[['Authorization', `Bearer ${SECRET}`]], undefined],
  );
});

verifies('credential.issued', 'records name the grant and never its secret', async () => {
  const test = await testHouse();
  await test.send('tools/call', { name: 'files.read' }).over;
  const attempt = test.records.find((record) => record.type === 'attempt');
  assert.equal(attempt?.grant, 'static:Authorization');
  assert.equal(JSON.stringify(test.records).includes('hunter2'), false);
});
