import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { linkSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import { BOTH, call, LIMITS, open, POST, SILENT } from '../../../test/fixtures/agent-edge.ts';
import * as certificates from '../../../test/fixtures/agent-edge-pems.ts';
import type { Arrival, Core } from '../../gateway/ports.ts';
import { deny } from '../../gateway/verdict.ts';
import { systemClock } from '../../lib/clock.ts';
import { headRules } from './head-rules.ts';
import { openListener } from './listen.ts';
import type { Bind, ListenDeps, ListenSettings, Listener } from './listen.ts';
import type { SessionRoom } from './legacy-reply.ts';

const ROOM: SessionRoom = {
  tokenOf: () => undefined,
  store: () => undefined,
  storeOfToken: () => undefined,
  closed() {},
  failed() {},
  end() {},
};

const LOOPBACK: Bind = { kind: 'tcp', host: '127.0.0.1', port: 0 };

let arrivals: Arrival[] = [];
const listeners: Listener[] = [];

/** A core that reads the body and refuses with what it is told. */
function core(reason: 'unauthenticated' | 'throttled' = 'unauthenticated', challenges?: readonly string[]): Core {
  return {
    handle(arrival, reply) {
      arrivals.push(arrival);
      const crossed = arrival.body(LIMITS.bytes).then((bytes) => {
        if (bytes !== 'gone')
          reply.refuse(deny(bytes === 'too_large' ? 'body_too_large' : reason), undefined, 'modern', challenges);
      });
      return { crossed, cancel() {} };
    },
    stand: () => assert.fail(),
    endSession() {},
  };
}

async function started(
  bind: readonly Bind[] = [LOOPBACK],
  deps: Partial<ListenDeps> = {},
  settings: Partial<ListenSettings> = {},
): Promise<Listener> {
  let listener: Listener | undefined;
  const rules = headRules({
    hosts: [],
    origins: ['https://app.example.com'],
    listen: () => listener?.addresses() ?? [],
  });
  const all = { core: core(), sessions: ROOM, rules, clock: systemClock, log: SILENT, ...deps };
  listener = await openListener({ bind, ...settings }, all);
  listeners.push(listener);
  return listener;
}

afterEach(async () => {
  arrivals = [];
  await Promise.all(listeners.splice(0).map((listener) => listener.close()));
});

describe('the listener refuses', () => {
  it('plain HTTP off loopback, unless it is spelled out', async () => {
    await assert.rejects(started([{ kind: 'tcp', host: '0.0.0.0', port: 0 }]), /not loopback.*tls.*plain: true/);
    const listener = await started([{ kind: 'tcp', host: '0.0.0.0', port: 0, plain: true }]);
    assert.equal(listener.addresses().length, 1);
  });

  it('paths that are no endpoint with 404 in JSON, without asking the core', async () => {
    const origin = new URL((await started()).url()).origin;
    for (const path of ['/', '/.well-known/oauth-protected-resource', '/mcp/', '/mcp/a/b', '/mcp/..%2f', '/sse']) {
      const got = await call(origin + path, { method: 'GET' });
      assert.equal(got.status, 404, path);
      assert.equal(got.headers['content-type'], 'application/json');
      assert.ok(got.json?.['error']);
      assert.ok(!('id' in got.json));
    }
    assert.equal(arrivals.length, 0);
  });

  it('other verbs with 405 and what is allowed', async () => {
    const got = await call((await started()).url(), { method: 'PUT', body: '{}' });
    assert.deepEqual([got.status, got.headers['allow']], [405, 'POST']);
  });

  it('an announced body over the limit before reading it, and closes the connection', async () => {
    const url = (await started()).url();
    const headers = { ...POST, 'content-length': String(LIMITS.bytes + 1) };
    const response = await open(url, { method: 'POST', headers, body: '{' }).catch((error: unknown) => error as Error);
    assert.ok(!(response instanceof Error));
    assert.deepEqual([response.statusCode, response.headers.connection], [413, 'close']);
    response.destroy();
  });

  it('a chunked body over the limit as soon as it is passed', async () => {
    const { port } = new URL((await started()).url());
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    for (let sent = 0; sent <= LIMITS.bytes; sent += 0x10000) socket.write(chunk);
    const [head] = (await once(socket, 'data')) as [Buffer];
    assert.match(head.toString(), /^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it('a sender that never finishes its headers', async () => {
    const timeouts = { headers: 60, request: 60, idle: 1000 };
    const { port } = new URL((await started([LOOPBACK], {}, { timeouts })).url());
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
    const [head] = (await once(socket, 'data')) as [Buffer];
    assert.match(head.toString(), /^HTTP\/1\.1 408 /);
    socket.destroy();
  });

  it('preflights of strangers', async () => {
    const headers = { origin: 'https://evil.example.com', 'access-control-request-method': 'POST' };
    const got = await call((await started()).url(), { method: 'OPTIONS', headers });
    assert.equal(got.status, 405);
    assert.equal(got.headers['access-control-allow-origin'], undefined);
  });

  it('a socket file that another gateway answers at, and a file that is no socket', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sallyport-'));
    after(() => rmSync(dir, { recursive: true }));
    const path = join(dir, 'gateway.sock');
    await started([{ kind: 'socket', path }]);
    await assert.rejects(started([{ kind: 'socket', path }]), /already listens/);
    const file = join(dir, 'file');
    writeFileSync(file, 'precious');
    await assert.rejects(started([{ kind: 'socket', path: file }]), /no socket/);
  });

  it('to keep one door open when another cannot be opened', async () => {
    const busy = createServer().listen(0, '127.0.0.1');
    await once(busy, 'listening');
    const { port } = busy.address() as { port: number };
    await assert.rejects(started([LOOPBACK, { kind: 'tcp', host: '127.0.0.1', port }]), /cannot listen/);
    busy.close();
  });
});

describe('the listener', () => {
  it('tells the real port, and who arrives at which endpoint', async () => {
    const listener = await started();
    const got = await call(`${listener.url()}/files?x=1`, { method: 'POST', headers: POST, body: '{}' });
    assert.equal(got.status, 401);
    assert.equal(got.headers['www-authenticate'], 'Bearer');
    const [arrival] = arrivals;
    assert.deepEqual(arrival?.endpoint, { kind: 'server', server: 'files' });
    const peer = { address: '127.0.0.1', encrypted: false, certificate: undefined, intermediates: [] };
    assert.deepEqual(arrival?.peer, peer);
    assert.deepEqual([arrival?.verb, arrival?.announced, arrival?.header('accept')], ['POST', 2, BOTH]);
  });

  it('names the challenges of identity on a 401', async () => {
    const challenges = ['Bearer resource_metadata="https://gw.example.com/meta"', 'Basic realm="gw"'];
    const url = (await started([LOOPBACK], { core: core('unauthenticated', challenges) })).url();
    const got = await call(url, { method: 'POST', headers: POST, body: '{}' });
    assert.equal(got.headers['www-authenticate'], challenges.join(', '));
  });

  it('keeps the connection of who was refused before its small body was read', async () => {
    const hasty: Core = {
      ...core(),
      handle(_arrival, reply) {
        reply.refuse(deny('unauthenticated'), undefined, 'modern');
        return { crossed: undefined, cancel() {} };
      },
    };
    const { port } = new URL((await started([LOOPBACK], { core: hasty })).url());
    const socket = connect(Number(port), '127.0.0.1');
    for (const _ of [1, 2]) {
      socket.write('POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}');
      const [head] = (await once(socket, 'data')) as [Buffer];
      assert.match(head.toString(), /^HTTP\/1\.1 401 /);
      assert.doesNotMatch(head.toString(), /connection: close/i);
    }
    socket.destroy();
  });

  it('finds headers that decide and came twice', async () => {
    const { port } = new URL((await started()).url());
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('POST /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Name: a\r\nmcp-name: b\r\nContent-Length: 0\r\n\r\n');
    await once(socket, 'data');
    socket.destroy();
    assert.deepEqual(arrivals[0]?.duplicates, ['mcp-name']);
  });

  it('answers preflights of allowed origins before anyone is authenticated', async () => {
    const headers = {
      origin: 'https://app.example.com',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization, mcp-param-region, x-other',
    };
    const got = await call((await started()).url(), { method: 'OPTIONS', headers });
    assert.equal(got.status, 204);
    assert.equal(got.headers['access-control-allow-origin'], 'https://app.example.com');
    assert.match(String(got.headers['access-control-allow-headers']), /Mcp-Session-Id.*, mcp-param-region$/);
    assert.match(String(got.headers['access-control-expose-headers']), /Mcp-Session-Id/);
    assert.equal(arrivals.length, 0);
  });

  it('lets pages of allowed origins read refusals too', async () => {
    const headers = { ...POST, origin: 'https://app.example.com' };
    const got = await call((await started()).url(), { method: 'POST', headers, body: '{}' });
    assert.equal(got.headers['access-control-allow-origin'], 'https://app.example.com');
    assert.match(String(got.headers['access-control-expose-headers']), /WWW-Authenticate/);
  });

  it('hands exact paths to the routes it was given', async () => {
    const listener = await started([LOOPBACK], { routes: { '/livez': (_request, response) => response.end('ok') } });
    const origin = new URL(listener.url()).origin;
    assert.equal((await call(`${origin}/livez`, {})).text, 'ok');
    assert.equal((await call(`${origin}/livez/x`, {})).status, 404);
  });

  it('replaces a stale socket file, with rights for its owner only', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sallyport-'));
    after(() => rmSync(dir, { recursive: true }));
    const path = join(dir, 'gateway.sock');
    const dead = createServer().listen(path);
    await once(dead, 'listening');
    // closing removes the file it made; a second name for it stays, as after a crash
    const crashed = join(dir, 'crashed.sock');
    linkSync(path, crashed);
    dead.close();
    await once(dead, 'close');
    await started([{ kind: 'socket', path: crashed }]);
    assert.equal(statSync(crashed).mode & 0o777, 0o600);
    const got = await call('http://localhost/mcp', { socketPath: crashed, method: 'POST', headers: POST, body: '{}' });
    assert.equal(got.status, 401);
    assert.equal(arrivals[0]?.peer.address, 'socket');
  });

  it('drains: takes no one new, lets open answers finish, and cuts what outlives the grace', async () => {
    const finishes: (() => void)[] = [];
    const slow: Core = {
      ...core(),
      handle(_arrival, reply) {
        finishes.push(() => reply.refuse(deny('throttled', { data: { retryAfterMs: 2_100 } }), undefined, 'modern'));
        return { crossed: new Promise(() => undefined), cancel() {} };
      },
    };
    const listener = await started([LOOPBACK], { core: slow });
    const pending = call(listener.url(), { method: 'POST', headers: POST, body: '{}' });
    while (finishes.length < 1) await new Promise((resolve) => setImmediate(resolve));
    const drained = listener.drain(5000);
    await assert.rejects(call(listener.url(), { method: 'POST', headers: POST, body: '{}' }), /ECONNREFUSED/);
    finishes[0]?.();
    const throttled = await pending;
    assert.deepEqual([throttled.status, throttled.headers['retry-after']], [429, '3']);
    await drained;

    const other = await started([LOOPBACK], { core: slow });
    const stuck = call(other.url(), { method: 'POST', headers: POST, body: '{}' });
    const cut = assert.rejects(stuck, /hang up|ECONNRESET/);
    while (finishes.length < 2) await new Promise((resolve) => setImmediate(resolve));
    await other.drain(20);
    await cut;
  });
});

describe('TLS', () => {
  let dir = '';
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'sallyport-'));
    for (const [name, text] of Object.entries(certificates)) writeFileSync(join(dir, name), text);
  });
  after(() => rmSync(dir, { recursive: true }));

  const tls = (more: object = {}): Bind => ({
    ...LOOPBACK,
    tls: { cert: join(dir, 'ONE_CERT'), key: join(dir, 'ONE_KEY'), reload: 20, ...more },
  });

  function served(listener: Listener, options: object = {}): Promise<string> {
    const { port } = new URL(listener.url());
    return new Promise((resolve, reject) => {
      const socket = tlsConnect({ port: Number(port), host: '127.0.0.1', ca: certificates.CA, ...options }, () => {
        resolve(socket.getPeerCertificate().subject.CN as string);
        socket.destroy();
      });
      socket.on('error', reject);
    });
  }

  it('refuses versions before 1.3, unless 1.2 is set', async () => {
    await assert.rejects(served(await started([tls()]), { maxVersion: 'TLSv1.2' }), /protocol version/);
    assert.equal(await served(await started([tls({ minVersion: 'TLSv1.2' })]), { maxVersion: 'TLSv1.2' }), 'one');
  });

  it('turns agents without a certificate away where one is required', async () => {
    const listener = await started([tls({ clientCa: join(dir, 'CA') })]);
    await assert.rejects(posted(listener, {}), /certificate|ECONNRESET|socket hang up/);
  });

  it('gives the verified certificate to identity', async () => {
    const listener = await started([tls({ clientCa: join(dir, 'CA'), requireClient: false })]);
    assert.equal(await posted(listener, {}), 401);
    assert.equal(await posted(listener, { cert: certificates.CLIENT_CERT, key: certificates.CLIENT_KEY }), 401);
    assert.equal(arrivals[0]?.peer.certificate, undefined);
    assert.match(new X509Certificate(arrivals[1]!.peer.certificate!).subject, /CN=client/);
    assert.equal(arrivals[1]?.peer.encrypted, true);
  });

  it('takes certificates as text too, and others when the configuration changes', async () => {
    const { ONE_CERT: cert, ONE_KEY: key, TWO_CERT, TWO_KEY } = certificates;
    const listener = await started([{ ...LOOPBACK, tls: { cert, key } }]);
    assert.equal(listener.renew({ cert: TWO_CERT, key }), false);
    assert.equal(await served(listener), 'one');
    assert.equal(listener.renew({ cert: TWO_CERT, key: TWO_KEY }), true);
    assert.equal(await served(listener), 'two');
  });

  it('keeps the old certificate when the new pair does not fit, and takes a good one without a restart', async () => {
    const told: string[] = [];
    let wake = (): void => undefined;
    const heard = (message: string): void => {
      told.push(message);
      wake();
    };
    const log = { ...SILENT, info: (_: object, m: string) => heard(m), warn: (_: object, m: string) => heard(m) };
    const cert = join(dir, 'live.pem');
    const key = join(dir, 'live.key');
    writeFileSync(cert, certificates.ONE_CERT);
    writeFileSync(key, certificates.ONE_KEY);
    const listener = await started([tls({ cert, key })], { log });
    const next = (): Promise<void> => new Promise((resolve) => (wake = resolve));
    let change = next();
    writeFileSync(cert, certificates.TWO_CERT);
    await change;
    assert.match(told.at(-1)!, /not reloaded/);
    assert.equal(await served(listener), 'one');
    change = next();
    writeFileSync(key, certificates.TWO_KEY);
    await change;
    assert.equal(await served(listener), 'two');
  });

  function posted(listener: Listener, options: object): Promise<number | undefined> {
    const agent = new TlsAgent({ ca: certificates.CA, ...options });
    return new Promise((resolve, reject) => {
      const request = httpsRequest(listener.url(), { agent, method: 'POST', headers: POST }, (response) => {
        response.resume().on('end', () => {
          agent.destroy();
          resolve(response.statusCode);
        });
      });
      request.on('error', reject).end('{}');
    });
  }
});

describe('head rules', () => {
  const loopback = headRules({
    hosts: ['gw.example.com', 'other.example.com:8443'],
    origins: ['https://app.example.com'],
    listen: [{ kind: 'tcp', host: '127.0.0.1', port: 7777, tls: false }],
  });

  it('refuse foreign names, null origins and pages of other local ports', () => {
    for (const host of [
      undefined,
      '',
      'evil.example.com',
      'localhost.evil.example.com',
      '127.0.0.1.evil.com',
      'a b',
      'other.example.com',
    ]) {
      assert.equal(loopback.hostAllowed(host), false, String(host));
    }
    for (const origin of [
      'null',
      '',
      'http://evil.example.com',
      'http://localhost:3000',
      'https://localhost:7777',
      'http://localhost',
    ]) {
      assert.equal(loopback.originAllowed(origin), false, origin);
    }
  });

  it('refuse loopback names where strangers can connect', () => {
    const open = headRules({
      hosts: [],
      origins: [],
      listen: [{ kind: 'tcp', host: '0.0.0.0', port: 80, tls: false }],
    });
    assert.equal(open.hostAllowed('localhost'), false);
    assert.equal(open.originAllowed('http://localhost'), false);
  });

  it('allow loopback names with any port, configured names, own and configured origins, and no origin', () => {
    for (const host of [
      'localhost',
      'LOCALHOST:1',
      '127.0.0.1:7777',
      '[::1]:7777',
      'gw.example.com:443',
      'other.example.com:8443',
    ]) {
      assert.equal(loopback.hostAllowed(host), true, host);
    }
    for (const origin of [undefined, 'http://localhost:7777', 'http://127.0.0.1:7777', 'https://app.example.com']) {
      assert.equal(loopback.originAllowed(origin), true, String(origin));
    }
  });
});
