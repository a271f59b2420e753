/** Agents by X509-SVID over TLS 1.3, at a gateway that is a process of its own. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { request, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe } from 'node:test';
import type { TLSSocket } from 'node:tls';
import {
  testAuthority,
  type TestAuthority,
  type TestCertificate,
} from '../src/components/identity/mtls/mtls.fixture.ts';
import { startGateway, type Gateway } from './gateway.ts';
import { verifies } from './verifies.ts';

const SVID = 'URI:spiffe://example.org/agents/claude';

describe('an agent with an X509-SVID', { timeout: 30_000 }, () => {
  let folder: string;
  let ours: TestAuthority;
  let between: TestAuthority;
  let gateway: Gateway;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-svid-'));
    ours = await testAuthority(folder, 'ours');
    between = await ours.below('between');
    const own = await ours.issue({ names: 'IP:127.0.0.1,DNS:localhost' });
    const file = (path: string) => `\${file:${path}}`;
    gateway = await startGateway({
      tls: { cert: file(own.cert), key: file(own.key), clientCa: file(ours.cert) },
      identity: [
        {
          use: 'mtls',
          authorities: [{ ca: file(ours.cert), trustDomain: 'example.org' }],
          map: [{ spiffe: 'spiffe://example.org/agents/*', groups: ['owner'] }],
        },
        { use: 'local' },
      ],
    });
  });
  after(async () => {
    await gateway?.close();
    await rm(folder, { recursive: true });
  });

  verifies(
    'mtls.verified',
    'is known over TLS 1.3, with the chain that it sends, and recorded as who it is',
    async () => {
      const leaf = await between.issue({ names: SVID });
      const { status, protocol } = await list({ cert: leaf.pem + between.pem, key: keyOf(leaf) });
      assert.deepEqual([status, protocol], [200, 'TLSv1.3']);
      const records = readFileSync(gateway.audit, 'utf8');
      assert.match(records, /"issuer":"spiffe:\/\/example.org","subject":"spiffe:\/\/example.org\/agents\/claude"/);
      assert.match(records, /"use":"mtls","strength":"proof-of-possession"/);
    },
  );

  verifies('mtls.verified', 'is refused with an id of another trust domain, and no token repairs that', async () => {
    const leaf = await ours.issue({ names: 'URI:spiffe://example.com/agents/claude' });
    const headers = { authorization: `Bearer ${gateway.token}` };
    assert.equal((await list({ cert: leaf.pem, key: keyOf(leaf) }, headers)).status, 401);
    assert.equal((await list({}, headers)).status, 200);
  });

  verifies('mtls.proxies', 'is refused when it only says so in a header', async () => {
    const leaf = await ours.issue({ names: SVID });
    const headers = { 'client-cert': `:${leaf.der.toString('base64')}:`, authorization: `Bearer ${gateway.token}` };
    assert.equal((await list({}, headers)).status, 401);
    assert.equal((await list({ cert: leaf.pem, key: keyOf(leaf) }, headers)).status, 401);
    assert.equal((await list({ cert: leaf.pem, key: keyOf(leaf) })).status, 200);
  });

  const keyOf = ({ key }: TestCertificate): string => readFileSync(key, 'utf8');

  async function list(options: RequestOptions, more: Record<string, string> = {}) {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/list',
      ...more,
    };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const all = { method: 'POST', ca: ours.pem, agent: false as const, headers, ...options };
      const sent = request(`${gateway.url}/mcp`, all, resolve).on('error', reject);
      sent.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta } }));
    });
    const protocol = (response.socket as TLSSocket).getProtocol();
    return { status: response.statusCode, protocol, body: await text(response) };
  }
});
