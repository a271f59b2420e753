import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import { fate, stops, testHouse, type SendOptions } from '../house.fixture.ts';

async function head(options: SendOptions) {
  const test = await testHouse();
  const ended = await fate(test.send('tools/call', { name: 'read' }, options));
  return { ended, read: test.journal.includes('body'), stops: stops(test.records) };
}

const passes = { ended: 'close', read: true, stops: [] };
const refused = (reason: string) => ({ ended: reason, read: false, stops: [`inward:head ${reason}`] });

verifies('head.host', 'a request for another host name is refused before its body is read', async () => {
  assert.deepEqual(await head({ headers: { host: 'evil.test' } }), refused('host_not_allowed'));
  assert.deepEqual(await head({ headers: { host: 'gateway.test' } }), passes);
});

verifies('head.origin', 'a page of another origin is refused before its body is read', async () => {
  assert.deepEqual(await head({ headers: { origin: 'https://evil.test' } }), refused('origin_not_allowed'));
  assert.deepEqual(await head({ headers: { origin: 'null' } }), refused('origin_not_allowed'));
  assert.deepEqual(await head({ headers: { origin: 'https://app.test' } }), passes);
});

verifies('head.smuggling', 'a header that decides and came twice is refused', async () => {
  assert.deepEqual(await head({ duplicates: ['authorization'] }), refused('header_duplicated'));
  assert.deepEqual(await head({ duplicates: [] }), passes);
});

verifies('head.size', 'a body announced one byte too large is not read', async () => {
  assert.deepEqual(await head({ announced: 1_000_001 }), refused('body_too_large'));
  assert.deepEqual(await head({ announced: 1_000_000 }), passes);
});

verifies('head.host', 'a path that is no endpoint is refused', async () => {
  assert.deepEqual(await head({ endpoint: undefined }), refused('endpoint_unknown'));
});

verifies('head.size', 'a gateway that is shutting down takes nothing new', async () => {
  const test = await testHouse({ house: { draining: true } });
  assert.equal(await fate(test.send('tools/list')), 'draining');
});
