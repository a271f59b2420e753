/** TLS on both hops: what agents are held to, and what the gateway holds servers to. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import type { RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { ConnectionOptions, PeerCertificate } from 'node:tls';
import { makeAuthority } from './fixtures/certificates.ts';
import type { Authority, Pair } from './fixtures/certificates.ts';
import { startFaultyHttp } from './fixtures/faulty/http.ts';
import { startGateway } from './gateway.ts';
import type { Gateway } from './gateway.ts';
import { openRaw } from './real/raw.ts';
import type { Message } from './real/raw.ts';

let folder: string;
let ours: Authority;
let theirs: Authority;
let gatewayPair: Pair;
let agentPair: Pair;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tls-'));
  [ours, theirs] = await Promise.all([makeAuthority(folder, 'our-ca'), makeAuthority(folder, 'their-ca')]);
  [gatewayPair, agentPair] = await Promise.all([ours.issue('gateway'), ours.issue('agent')]);
});
after(() => rm(folder, { recursive: true, force: true }));

describe('an agent that comes over TLS', { timeout: 30_000 }, () => {
  let gateway: Gateway;
  before(async () => {
    gateway = await startGateway({ tls: fileReferences(gatewayPair) });
  });
  after(() => gateway?.close());

  test('is turned away with TLS 1.2', async () => {
    await assert.rejects(handshake(gateway, { ca: await pem(ours), maxVersion: 'TLSv1.2' }), /protocol version/);
  });

  test('is answered with TLS 1.3', async () => {
    assert.equal((await handshake(gateway, { ca: await pem(ours) })).subject.CN, 'gateway');
    assert.match(await discover(gateway, { ca: await pem(ours) }), /supportedVersions/);
  });

  test('sees a renewed certificate without a restart, and an open connection goes on', async () => {
    const ca = await pem(ours);
    const kept = new Agent({ keepAlive: true, maxSockets: 1, ca });
    await discover(gateway, { agent: kept });
    const renewed = await ours.issue('renewed');
    await copyFile(renewed.key, gatewayPair.key);
    await copyFile(renewed.cert, gatewayPair.cert);
    // The gateway tells nobody when it has looked at the files again.
    while ((await handshake(gateway, { ca })).subject.CN !== 'renewed') await pause(50);
    assert.equal(Object.keys(kept.freeSockets).length, 1);
    assert.match(await discover(gateway, { agent: kept }), /supportedVersions/);
    kept.destroy();
  });
});

describe('where client certificates are required', () => {
  let gateway: Gateway;
  before(async () => {
    const pair = await ours.issue('strict-gateway');
    const tls = { ...fileReferences(pair), clientCa: `\${file:${ours.cert}}`, clientCertRequired: true };
    gateway = await startGateway({ tls });
  });
  after(() => gateway?.close());

  test('an agent without one is turned away, token or not', async () => {
    await assert.rejects(discover(gateway, { ca: await pem(ours) }), /certificate required|ECONNRESET|socket hang up/);
  });

  test('an agent with one of another authority is turned away', async () => {
    const stranger = await keyPair(await theirs.issue('stranger'));
    await assert.rejects(
      discover(gateway, { ca: await pem(ours), ...stranger }),
      /unknown ca|ECONNRESET|socket hang up/,
    );
  });

  test('an agent with one of this authority is answered', async () => {
    assert.match(await discover(gateway, { ca: await pem(ours), ...(await keyPair(agentPair)) }), /supportedVersions/);
  });
});

describe('a server behind TLS', () => {
  const started = new AsyncDisposableStack();
  let gateway: Gateway;
  before(async () => {
    const pair = await keyPair(await theirs.issue('server'));
    const options = { ...pair, ca: await pem(ours), requestCert: true, rejectUnauthorized: true };
    const { url } = started.adopt(await startFaultyHttp(options), (one) => one.stop());
    const ca = `\${file:${theirs.cert}}`;
    const client = fileReferences(await ours.issue('client'));
    const running = await startGateway({
      servers: {
        trusted: { url, tls: { ca, ...client } },
        unknown: { url, tls: client },
        anonymous: { url, tls: { ca } },
      },
    });
    gateway = started.adopt(running, (one) => one.close());
  });
  after(() => started.disposeAsync());

  test('is not spoken to when its authority is not trusted', async () => {
    assert.match(JSON.stringify(await echo('unknown')), /cannot be reached/);
  });

  test('is out of reach when it wants a client certificate and there is none', async () => {
    assert.match(JSON.stringify(await echo('anonymous')), /cannot be reached|went away/);
  });

  test('is spoken to when authority and client certificate are right', async () => {
    assert.match(JSON.stringify(await echo('trusted')), /behind TLS/);
  });

  async function echo(server: string): Promise<Message> {
    const target = { kind: 'http', url: `${gateway.url}/mcp/${server}`, token: gateway.token } as const;
    const raw = await openRaw(target, 'legacy');
    try {
      const params = { name: 'echo', arguments: { text: 'behind TLS' } };
      return (await raw.request(1, 'tools/call', params)).message;
    } finally {
      await raw.close();
    }
  }
});

function fileReferences({ cert, key }: Pair): Pair {
  return { cert: `\${file:${cert}}`, key: `\${file:${key}}` };
}

function pem({ cert }: Pair): Promise<string> {
  return readFile(cert, 'utf8');
}

async function keyPair({ cert, key }: Pair): Promise<{ cert: string; key: string }> {
  return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
}

/** The certificate that the listener shows. */
async function handshake(gateway: Gateway, options: ConnectionOptions): Promise<PeerCertificate> {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect({ host: hostname, port: Number(port), ...options });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate();
  } finally {
    socket.destroy();
  }
}

async function discover(gateway: Gateway, options: RequestOptions): Promise<string> {
  const sent = request(`${gateway.url}/mcp`, { agent: false, ...options, method: 'POST', headers: headersOf(gateway) });
  sent.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: ENVELOPE } }));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return text(response);
}

const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

function headersOf({ token }: Gateway): Record<string, string> {
  return {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'server/discover',
  };
}
