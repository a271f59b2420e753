import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { startFixture } from './fixture.ts';
import { startForwarder } from './forwarder.ts';
import { runSuite } from './suite.ts';

test('the token is added, and Host and Origin pass as they came', async () => {
  let seen: IncomingMessage['headers'] = {};
  await using hop = await behind((inbound, response) => {
    seen = inbound.headers;
    response.end();
  });
  const sent = request(hop.url, { headers: { Host: 'evil.example.com', Origin: 'http://evil.example.com' } }).end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  assert.deepEqual(
    [seen.host, seen.origin, seen.authorization],
    ['evil.example.com', 'http://evil.example.com', 'Bearer secret'],
  );
});

test('an event arrives while the response is still open', async () => {
  await using hop = await behind((_inbound, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: first\n\n');
  });
  const response = await fetch(hop.url);
  const { value } = await response.body!.getReader().read();
  assert.equal(Buffer.from(value!).toString(), 'data: first\n\n');
});

test('the client that leaves ends the request behind', async () => {
  const left = Promise.withResolvers<void>();
  await using hop = await behind((_inbound, response) => {
    response.once('close', left.resolve);
    response.writeHead(200);
    response.flushHeaders();
  });
  const client = new AbortController();
  await fetch(hop.url, { signal: client.signal });
  client.abort();
  await left.promise;
});

test('a target that is gone closes the connection', async () => {
  const hop = await startForwarder('http://127.0.0.1:1/mcp', 'secret');
  await assert.rejects(fetch(hop.url));
  await hop.close();
});

for (const [era, revision] of [
  ['legacy', '2025-11-25'],
  ['modern', '2026-07-28'],
] as const) {
  test(`the suite finds nothing to fault in the hop for ${revision}`, async () => {
    const fixture = await startFixture(era);
    const hop = await startForwarder(fixture.url, 'secret');
    const outcomes = await runSuite(revision, hop.url);
    await hop.close();
    await fixture.close();
    assert.deepEqual(
      outcomes.filter(({ failedChecks }) => failedChecks.length > 0),
      [],
    );
  });
}

async function behind(answer: RequestListener) {
  const target = createServer(answer);
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  const hop = await startForwarder(`http://127.0.0.1:${(target.address() as AddressInfo).port}/mcp`, 'secret');
  return {
    url: hop.url,
    [Symbol.asyncDispose]: async () => {
      await hop.close();
      target.closeAllConnections();
      await new Promise((resolve) => target.close(resolve));
    },
  };
}
