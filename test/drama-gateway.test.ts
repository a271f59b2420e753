/** The gateway itself in trouble: killed, without disk, told to stop or to change, its clock moved; and agents that misbehave. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { isAlive } from './background.ts';
import { descendants } from './descendants.ts';
import { beside, bodyOf, call, headersOf, textOf, until } from './fixtures/drama/agent.ts';
import { startDramaHttp } from './fixtures/drama/http.ts';
import type { DramaHttp } from './fixtures/drama/http.ts';
import { newFolder, recordsIn, startStage } from './fixtures/drama/stage.ts';
import type { Stage, Wounds } from './fixtures/drama/stage.ts';
import { openRaw } from './real/raw.ts';

const SCRIPT = fileURLToPath(new URL('fixtures/drama/stdio.ts', import.meta.url));
const CLOCK = new URL('fixtures/drama/clock.ts', import.meta.url).href;
const QUICK = 750;

const steady = { command: process.execPath, args: [SCRIPT], deadline: '5s' };

describe('A gateway in trouble', () => {
  let upstream: DramaHttp;
  const started = new AsyncDisposableStack();
  before(async () => {
    upstream = started.adopt(await startDramaHttp(), (one) => one.stop());
  });
  after(() => started.disposeAsync());

  const config = () => ({ servers: { steady, http: { url: upstream.url, deadline: '3s' } } });

  async function staged(wounds: Wounds = {}, yaml: object = config()): Promise<Stage> {
    const stage = started.adopt(await startStage(yaml, wounds), (one) => one.close());
    assert.equal(textOf(await call(stage, 'http', 'echo')), 'here');
    return stage;
  }

  async function kept(): Promise<string> {
    return started.adopt(await newFolder(), (one) => rm(one, { recursive: true, force: true }));
  }

  test('that is killed during calls leaves attempts, which its next life closes as unknown, and sessions, which are then 404', async () => {
    const folder = await kept();
    const first = await staged({ folder });
    const agent = await openRaw({ kind: 'http', url: `${first.url}/mcp/http`, token: first.token }, 'legacy');
    void agent;
    const children = await descendants(first.pid);
    const calls = Array.from({ length: 5 }, () => call(first, 'http', 'silent').catch(() => 'cut off' as const));
    const attempted = async () =>
      (await first.records()).filter(({ type, name }) => type === 'attempt' && name === 'silent');
    await until('five attempts are on record', async () => (await attempted()).length === 5);
    assert.equal(await first.signal('SIGKILL'), 'SIGKILL');
    assert.deepEqual(new Set(await Promise.all(calls)), new Set(['cut off']));
    await until('its servers are gone', () => children.every((pid) => !isAlive(pid)));
    const second = await staged({ folder });
    assert.equal(second.token, first.token);
    const exchanges = new Set((await attempted()).map(({ exchange }) => exchange));
    const ends = (await second.records()).filter(({ type, exchange }) => type === 'outcome' && exchanges.has(exchange));
    assert.deepEqual(
      ends.map(({ status }) => status),
      Array.from({ length: 5 }, () => 'unknown'),
    );
    const headers = { ...headersOf(second, 'ping'), 'mcp-protocol-version': '2025-11-25', 'mcp-session-id': 'of-old' };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
    assert.equal((await fetch(`${second.url}/mcp/http`, { method: 'POST', headers, body })).status, 404);
  });

  test('without disk refuses every call, because it cannot be recorded, and goes on once there is room', async () => {
    // one block of the shell is 512 bytes; the process is not to die of the signal but to see the error
    const stage = await staged({ shell: "trap '' XFSZ; ulimit -S -f 4096" });
    const large = 'x'.repeat(100_000);
    const refused = await until('the disk is full', async () => {
      const { error } = await call(stage, 'http', 'echo', large);
      return error;
    });
    assert.match(refused.message, /cannot be recorded/);
    const reached = (await stage.records()).length;
    assert.match((await call(stage, 'steady', 'echo', large)).error!.message, /cannot be recorded/);
    assert.equal((await stage.records()).length, reached);
    await promisify(execFile)('prlimit', ['--pid', String(stage.pid), '--fsize=unlimited']);
    assert.equal(textOf(await call(stage, 'http', 'echo')), 'here');
    assert.match(textOf(await call(stage, 'steady', 'echo')), /here$/);
  });

  test('whose record was taken away refuses every call until it is started again', async () => {
    const folder = await kept();
    const first = await staged({ folder });
    const file = join(first.data, 'audit', 'audit.jsonl');
    await rm(file);
    assert.match((await call(first, 'http', 'echo')).error!.message, /cannot be recorded/);
    assert.equal((await fetch(`${first.url}/readyz`)).status, 503);
    await first.signal('SIGTERM');
    await staged({ folder });
  });

  test('whose record was moved goes on with it where it is', async () => {
    const stage = await staged();
    const file = join(stage.data, 'audit', 'audit.jsonl');
    await rename(file, `${file}.1`);
    const before = (await recordsIn(`${file}.1`)).length;
    assert.equal(textOf(await call(stage, 'http', 'echo')), 'here');
    assert.ok((await recordsIn(`${file}.1`)).length > before);
  });

  test('that is told to stop answers the calls under way, takes no more, and ends listens in due form', async () => {
    const stage = await staged();
    const client = new Client({ name: 'drama', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    const requestInit = { headers: { authorization: `Bearer ${stage.token}` } };
    await client.connect(new StreamableHTTPClientTransport(new URL(`${stage.url}/mcp`), { requestInit }));
    const listens = await Promise.all(Array.from({ length: 5 }, () => client.listen({ toolsListChanged: true })));
    const calls = Array.from({ length: 10 }, () => call(stage, 'http', 'slow'));
    const under = async () => (await stage.records()).filter(({ type, name }) => type === 'attempt' && name === 'slow');
    await until('ten calls are under way', async () => (await under()).length === 10);
    const ended = stage.signal('SIGTERM');
    assert.deepEqual(await Promise.all(listens.map((listen) => listen.closed)), Array(5).fill('graceful'));
    for (const answer of await Promise.all(calls)) assert.equal(textOf(answer), 'here');
    assert.equal(await ended, 0);
    await assert.rejects(call(stage, 'http', 'echo'));
    const open = new Set(
      (await stage.records()).filter(({ type }) => type === 'attempt').map(({ exchange }) => exchange),
    );
    for (const { type, exchange } of await stage.records()) if (type === 'outcome') open.delete(exchange);
    assert.equal(open.size, 0, 'attempts without an outcome');
    await client.close().catch(() => undefined);
  });

  test('whose configuration changes during calls answers them from the old server, and the next from the new', async () => {
    const next = started.adopt(await startDramaHttp(), (one) => one.stop());
    const stage = await staged();
    const calls = Array.from({ length: 10 }, () => call(stage, 'http', 'slow'));
    const under = async () => (await stage.records()).filter(({ type, name }) => type === 'attempt' && name === 'slow');
    await until('ten calls are under way', async () => (await under()).length === 10);
    await stage.rewrite({ servers: { steady, http: { url: next.url, deadline: '3s' } } });
    await until('the change is on record', async () =>
      (await stage.records()).some(({ what }) => what === 'configuration'),
    );
    for (const answer of await Promise.all(calls)) assert.equal(textOf(answer), 'here');
    assert.equal(textOf(await call(stage, 'http', 'echo')), 'here');
    assert.ok(next.sessions() > 0);
  });

  test('whose clock jumps an hour on, and back, neither cuts calls off nor lets them run for ever', async () => {
    const stage = await staged({ node: ['--import', CLOCK] });
    for (let jumps = 0; jumps < 2; jumps += 1) {
      const under = Array.from({ length: 5 }, () => call(stage, 'http', 'slow'));
      const late = call(stage, 'http', 'silent');
      await new Promise((resolve) => setTimeout(resolve, 50));
      process.kill(stage.pid, 'SIGUSR2');
      for (const answer of await Promise.all(under)) assert.equal(textOf(answer), 'here');
      assert.match((await late).error!.message, /did not answer in time/);
      assert.equal(textOf(await call(stage, 'http', 'echo')), 'here');
    }
  });

  test('tells a new session of a server what the forgotten one knew, also when it forgets under load', async () => {
    const stage = await staged();
    const agent = await openRaw({ kind: 'http', url: `${stage.url}/mcp/http`, token: stage.token }, 'legacy');
    await agent.request(1, 'logging/setLevel', { level: 'warning' });
    await agent.request(2, 'resources/subscribe', { uri: 'drama://one' });
    for (let round = 0; round < 3; round += 1) {
      const told = upstream.told.length;
      const load = Array.from({ length: 20 }, (_, id) =>
        agent.request(100 + id, 'tools/call', { name: 'slow', arguments: {} }),
      );
      upstream.forget();
      const more = Array.from({ length: 20 }, (_, id) =>
        agent.request(200 + id, 'tools/call', { name: 'echo', arguments: {} }),
      );
      for (const { message } of await Promise.all([...load, ...more]))
        assert.ok(message['result'], JSON.stringify(message));
      await until('it was told again', () => upstream.told.length >= told + 2);
      assert.deepEqual(upstream.told.slice(told).toSorted(), ['logging/setLevel', 'resources/subscribe']);
    }
    await agent.close();
  });
});

describe('An agent that misbehaves', () => {
  let stage: Stage;
  let upstream: DramaHttp;
  let quiet: number;
  const started = new AsyncDisposableStack();

  before(async () => {
    upstream = started.adopt(await startDramaHttp(), (one) => one.stop());
    stage = started.adopt(
      await startStage({
        servers: { steady, http: { url: upstream.url, deadline: '3s' } },
        message: { size: '256KiB' },
      }),
      (one) => one.close(),
    );
    await call(stage, 'steady', 'echo');
    await call(stage, 'http', 'echo');
    quiet = await stage.descriptors();
  });
  after(() => started.disposeAsync());

  function head(length: number | 'chunked', more = ''): string {
    const lines = Object.entries(headersOf(stage, 'tools/call', 'echo')).map(([name, value]) => `${name}: ${value}`);
    const framing = length === 'chunked' ? 'transfer-encoding: chunked' : `content-length: ${length}`;
    return `POST /mcp/steady HTTP/1.1\r\nhost: ${new URL(stage.url).host}\r\n${lines.join('\r\n')}\r\n${framing}\r\n${more}\r\n`;
  }

  /** In small batches: a burst beyond the backlog is a fault of the kernel's, not of the gateway. */
  async function sockets(count: number): Promise<Socket[]> {
    const all: Socket[] = [];
    while (all.length < count) all.push(...(await Promise.all(Array.from({ length: Math.min(100, count) }, opened))));
    return all;
  }

  async function opened(): Promise<Socket> {
    const socket = connect({ port: Number(new URL(stage.url).port), host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined);
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    started.defer(() => void socket.destroy());
    return socket;
  }

  async function one(): Promise<Socket> {
    return (await sockets(1))[0]!;
  }

  function heard(socket: Socket): Promise<string> {
    return new Promise((resolve) => {
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      socket.once('end', () => resolve(text)).once('close', () => resolve(text));
    });
  }

  async function back(): Promise<void> {
    await until('its connections are given back', async () => (await stage.descriptors()) <= quiet + 10);
  }

  test('with two thousand idle connections disturbs nobody', async () => {
    const idle = await sockets(2_000);
    await until('all are accepted', async () => (await stage.descriptors()) > 1_990);
    await beside(stage, 'steady', QUICK, Promise.resolve());
    for (const socket of idle) socket.resetAndDestroy();
    await back();
  });

  test('that sends headers byte by byte on many connections disturbs nobody', async () => {
    const slow = await sockets(300);
    const text = head(10);
    const dripping = async () => {
      for (let at = 0; at < 40; at += 1) {
        for (const socket of slow) socket.write(text[at]!);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    await beside(stage, 'steady', QUICK, dripping());
    for (const socket of slow) socket.destroy();
    await back();
  });

  test('that sends bodies byte by byte on many connections is held to its share, and disturbs nobody', async () => {
    const slow = await sockets(300);
    for (const socket of slow) socket.write(head(1_000));
    const dripping = async () => {
      for (let at = 0; at < 40; at += 1) {
        for (const socket of slow) if (!socket.destroyed) socket.write(' ');
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    await dripping();
    for (const socket of slow) socket.destroy();
    await back();
    assert.match(textOf(await call(stage, 'steady', 'echo')), /here$/);
  });

  test('that closes its half of the connection during a call is taken for gone, and the call is cancelled', async () => {
    const socket = await one();
    const body = bodyOf(1, 'tools/call', { name: 'silent', arguments: {} });
    const text = head(Buffer.byteLength(body))
      .replace('/mcp/steady', '/mcp/http')
      .replace('mcp-name: echo', 'mcp-name: silent');
    socket.write(`${text}${body}`);
    const attempt = await until('it is under way', async () =>
      (await stage.records()).find(({ type, name }) => type === 'attempt' && name === 'silent'),
    );
    socket.end();
    await until('it is cancelled', async () =>
      (await stage.records()).some(({ exchange, status }) => exchange === attempt.exchange && status === 'cancelled'),
    );
    socket.destroy();
  });

  test('that sends headers larger than they may be is told so', async () => {
    const socket = await one();
    const answer = heard(socket);
    socket.write(head(10, `x-large: ${'x'.repeat(64 * 1024)}\r\n`));
    assert.match(await answer, /^HTTP\/1\.1 431/);
  });

  test('that sends a body without end is cut off at the size of a message', async () => {
    const socket = await one();
    const answer = heard(socket);
    socket.write(head('chunked'));
    const chunk = `4000\r\n${' '.repeat(0x4000)}\r\n`;
    const more = (): void => {
      while (!socket.destroyed && socket.write(chunk)) continue;
    };
    socket.on('drain', more);
    more();
    assert.match(await answer, /^HTTP\/1\.1 413/);
    socket.destroy();
  });

  test('that resets the connection during a stream cancels its call, and nothing of it is left', async () => {
    const many = await sockets(20);
    const body = bodyOf(1, 'tools/call', { name: 'sse-open', arguments: {} });
    for (const socket of many)
      socket.write(
        `${head(Buffer.byteLength(body)).replace('/mcp/steady', '/mcp/http').replace('mcp-name: echo', 'mcp-name: sse-open')}${body}`,
      );
    const attempts = async () =>
      (await stage.records()).filter(({ type, name }) => type === 'attempt' && name === 'sse-open');
    await until('all are under way', async () => (await attempts()).length === 20);
    for (const socket of many) socket.resetAndDestroy();
    const exchanges = new Set((await attempts()).map(({ exchange }) => exchange));
    await until('all are cancelled', async () => {
      const ends = (await stage.records()).filter(
        ({ type, exchange }) => type === 'outcome' && exchanges.has(exchange),
      );
      return ends.length === 20 && ends.every(({ status }) => status === 'cancelled');
    });
    await until('the server is not kept busy', () => upstream.open() <= 4);
    await back();
  });

  test('that resets the connection during a listen leaves nothing behind', async () => {
    const many = await sockets(20);
    const body = bodyOf(1, 'subscriptions/listen', { notifications: { toolsListChanged: true } });
    const lines = Object.entries(headersOf(stage, 'subscriptions/listen')).map(([name, value]) => `${name}: ${value}`);
    const text = `POST /mcp/steady HTTP/1.1\r\nhost: ${new URL(stage.url).host}\r\n${lines.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    const first = many.map((socket) => new Promise<void>((resolve) => socket.once('data', () => resolve())));
    for (const socket of many) socket.write(text);
    await Promise.all(first);
    for (const socket of many) socket.resetAndDestroy();
    await back();
    assert.doesNotMatch(stage.lines.join('\n'), /MaxListenersExceeded|unhandled|uncaught/i);
  });
});
