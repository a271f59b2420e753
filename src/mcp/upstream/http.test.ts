import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeAuthority } from '../../../test/fixtures/certificates.ts';
import { hop, http, soon, upstreamsOf } from '../../../test/fixtures/upstream/kit.ts';
import { DISCOVERED } from '../../../test/fixtures/upstream/scripted-http.ts';
import type { ServerSettings } from '../../gateway/ports.ts';
import { reasonOfStatus, standingHeaders } from './http.ts';

type Tls = { ca: string; cert: string; key: string };

/** A server that wants a client certificate of its own authority. */
async function guarded(t: TestContext): Promise<{ url: string; tls: Tls }> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const authority = await makeAuthority(folder, 'authority');
  const pair = await authority.issue('leaf');
  const [ca, cert, key] = await Promise.all(
    [authority.cert, pair.cert, pair.key].map((file) => readFile(file, 'utf8')),
  );
  const tls = { ca: ca!, cert: cert!, key: key! };
  const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true }, (_req, res) => {
    res.writeHead(200, { 'content-type': 'application/json' }).end(`{"jsonrpc":"2.0","id":1,"result":${DISCOVERED}}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  return { url: `https://localhost:${(server.address() as AddressInfo).port}/mcp`, tls };
}

function secured(url: string, tls: Partial<Tls> | undefined): ServerSettings {
  return http('s', url, { transport: { kind: 'http', url, legacySse: false, headers: {}, tls } });
}

test('a certificate of an unknown authority is refused before a byte of the request leaves', async (t) => {
  const { url } = await guarded(t);
  const upstreams = upstreamsOf([secured(url, undefined)]);
  t.after(() => upstreams.close());
  await assert.rejects(upstreams.surface('s', hop, soon()), {
    reason: 'upstream_unavailable',
    message: /certificate|issuer/i,
  });
});

test('a server that wants a client certificate refuses us without one', async (t) => {
  const { url, tls } = await guarded(t);
  const upstreams = upstreamsOf([secured(url, { ca: tls.ca })]);
  t.after(() => upstreams.close());
  await assert.rejects(upstreams.surface('s', hop, soon()));
});

test('own authority and client certificate open the connection', async (t) => {
  const { url, tls } = await guarded(t);
  const upstreams = upstreamsOf([secured(url, tls)]);
  t.after(() => upstreams.close());
  assert.equal((await upstreams.surface('s', hop, soon())).era, 'modern');
});

test('a status says whether a request was refused, or may have run', () => {
  assert.deepEqual([301, 400, 404, 429, 503].map(reasonOfStatus), Array(5).fill('upstream_unavailable'));
  assert.deepEqual([401, 403].map(reasonOfStatus), Array(2).fill('credential_unavailable'));
  assert.deepEqual([500, 502, 504].map(reasonOfStatus), Array(3).fill('upstream_lost'));
});

test('neither settings nor a grant can write the headers of the protocol', () => {
  const headers = [
    ['Mcp-Session-Id', 'x'],
    ['HOST', 'x'],
    ['Content-Length', '0'],
    ['X-Key', 'k'],
  ] as const;
  assert.deepEqual(standingHeaders({ accept: 'x' }, { id: 'g', headers, env: {}, secrets: [] }), ['x-key', 'k']);
});
