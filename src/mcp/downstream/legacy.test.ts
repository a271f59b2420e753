import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  ElicitRequestSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ask, call, notification, open, POST, result, sse } from '../../../test/fixtures/agent-edge.ts';
import type { Answered, Sse } from '../../../test/fixtures/agent-edge.ts';
import { agentSide, answering, scripted } from '../../../test/fixtures/agent-side.ts';
import type { Side, SideSettings } from '../../../test/fixtures/agent-side.ts';
import type { Message } from '../../gateway/exchange.ts';
import type { Outlet } from '../../gateway/ports.ts';
import { deny } from '../../gateway/verdict.ts';
import type { Deny } from '../../gateway/verdict.ts';
import { manualClock } from '../../lib/clock.ts';

const LATEST = '2025-11-25';

let side: Side | undefined;
afterEach(() => side?.close());

async function started(settings: SideSettings = {}): Promise<Side> {
  side = await agentSide(settings);
  return side;
}

function rpc(method: string, params: object = {}, id?: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params });
}

function hello(protocolVersion = LATEST): string {
  return rpc(
    'initialize',
    { protocolVersion, capabilities: { roots: {} }, clientInfo: { name: 'c', version: '1' } },
    0,
  );
}

function initialize(url: string, who = 'alice', version = LATEST): Promise<Answered> {
  return call(url, { method: 'POST', headers: { ...POST, authorization: who }, body: hello(version) });
}

async function begin(url: string, who = 'alice', version = LATEST): Promise<Record<string, string>> {
  const got = await initialize(url, who, version);
  const id = got.headers['mcp-session-id'];
  assert.equal(typeof id, 'string');
  return { ...POST, authorization: who, 'mcp-session-id': String(id), 'mcp-protocol-version': version };
}

function get(url: string, headers: Record<string, string>): ReturnType<typeof open> {
  return open(url, { method: 'GET', headers: { ...headers, accept: 'text/event-stream' } });
}

async function next(events: AsyncGenerator<Sse>): Promise<Sse> {
  const { value } = await events.next();
  assert.ok(value !== undefined, 'the stream ended');
  return value as Sse;
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a legacy agent is refused', () => {
  it('without a session, with one nobody knows, and with one of somebody else or another endpoint', async () => {
    const { url } = await started({ answers: { 'tools/list': answering({ tools: [] }) } });
    const headers = await begin(url);
    const status = async (at: string, more: Record<string, string>): Promise<number> =>
      (await call(at, { method: 'POST', headers: { ...headers, ...more }, body: rpc('tools/list', {}, 1) })).status;
    const { 'mcp-session-id': _none, ...bare } = headers;
    assert.equal((await call(url, { method: 'POST', headers: bare, body: rpc('tools/list', {}, 1) })).status, 400);
    assert.equal(await status(url, { 'mcp-session-id': 'invented' }), 404);
    assert.equal(await status(url, { authorization: 'mallory' }), 404);
    assert.equal(await status(`${url}/files`, {}), 404);
    assert.equal(await status(url, {}), 200);
  });

  it('when its session was ended or was idle for too long', async () => {
    const clock = manualClock();
    const { url, sessions } = await started({ clock, sessions: { idle: 1000 } });
    const ended = await begin(url);
    assert.equal((await call(url, { method: 'DELETE', headers: ended })).status, 204);
    await tick();
    assert.equal((await call(url, { method: 'DELETE', headers: ended })).status, 404);
    const idle = await begin(url);
    clock.advance(1000);
    assert.equal((await call(url, { method: 'POST', headers: idle, body: rpc('ping', {}, 1) })).status, 200);
    assert.equal(sessions.size, 0);
  });

  it('with an initialize that agrees on nothing, and nothing is left of it', async () => {
    const { url, sessions, attached } = await started();
    const wrong = await call(url, {
      method: 'POST',
      headers: POST,
      body: rpc('initialize', { protocolVersion: 1 }, 0),
    });
    assert.equal(wrong.code, -32602);
    assert.equal(wrong.headers['mcp-session-id'], undefined);
    assert.deepEqual([sessions.size, attached.length], [0, 0]);
  });

  it('a second standing stream, and a place in a stream that is not its own', async () => {
    const { url } = await started();
    const [mine, other] = [await begin(url), await begin(url)];
    const stream = await get(url, mine);
    const { id } = await next(sse(stream));
    const [again, foreign, invented] = await Promise.all([
      call(url, { method: 'GET', headers: { ...mine, accept: 'text/event-stream' } }),
      call(url, { method: 'GET', headers: { ...other, accept: 'text/event-stream', 'last-event-id': id! } }),
      call(url, { method: 'GET', headers: { ...mine, accept: 'text/event-stream', 'last-event-id': '1' } }),
    ]);
    assert.deepEqual([again.status, foreign.status, invented.status], [409, 400, 400]);
    stream.destroy();
  });
});

describe('a session', () => {
  it('begins with initialize: version, capabilities and instructions of the endpoint, and a sealed id', async () => {
    const got = await initialize((await started()).url);
    assert.deepEqual(got.json, {
      jsonrpc: '2.0',
      id: 0,
      result: {
        protocolVersion: LATEST,
        capabilities: { tools: { listChanged: true }, resources: { subscribe: true } },
        serverInfo: { name: 'gateway', version: '1.0.0' },
        instructions: 'Be kind.',
      },
    });
    assert.match(String(got.headers['mcp-session-id']), /^[\x21-\x7e]+$/);
  });

  it('speaks the version asked for, or the newest it knows', async () => {
    const { url } = await started();
    const agreed = async (version: string): Promise<unknown> =>
      (await initialize(url, 'alice', version)).result?.['protocolVersion'];
    for (const version of [LATEST, '2025-06-18', '2025-03-26', '2024-11-05'])
      assert.equal(await agreed(version), version);
    assert.equal(await agreed('2030-01-01'), LATEST);
  });

  it('hears of every server through its standing stream, also what came before the stream was opened', async () => {
    const { url, attached } = await started();
    const headers = await begin(url);
    assert.deepEqual(
      attached.map(({ server }) => server),
      ['files', 'mail'],
    );
    void attached[0]?.outlet.event(notification('notifications/tools/list_changed'));
    const events = sse(await get(url, headers));
    const priming = await next(events);
    assert.deepEqual([priming.data, priming.retry], ['', '1000']);
    assert.match((await next(events)).data, /tools\/list_changed/);
    void attached[1]?.outlet.event(notification('notifications/prompts/list_changed'));
    assert.match((await next(events)).data, /prompts\/list_changed/);
    await events.return(undefined);
  });

  it('before 2025-11-25 gets no event without data', async () => {
    const { url, attached } = await started();
    const headers = await begin(url, 'alice', '2025-06-18');
    const events = sse(await get(url, headers));
    void attached[0]?.outlet.event(notification('notifications/tools/list_changed'));
    assert.match((await next(events)).data, /tools\/list_changed/);
    await events.return(undefined);
  });

  it('listens to the resources it subscribed to, until it no longer does', async () => {
    const definition = {
      of: 'definition' as const,
      server: 'mail',
      kind: 'resource' as const,
      name: 'mail://a',
      definition: undefined,
    };
    const well = scripted((exchange, outlet) => {
      exchange.target = definition;
      outlet.close(result(exchange.row.method, {}));
    });
    const { url, attached } = await started({
      answers: { 'resources/subscribe': well, 'resources/unsubscribe': well },
    });
    const headers = await begin(url);
    const mail = attached[1]!;
    await call(url, { method: 'POST', headers, body: rpc('resources/subscribe', { uri: 'mail://a' }, 1) });
    assert.deepEqual(mail.filters.at(-1)?.resourceSubscriptions, ['mail://a']);
    await call(url, { method: 'POST', headers, body: rpc('resources/unsubscribe', { uri: 'mail://a' }, 2) });
    assert.deepEqual(mail.filters.at(-1)?.resourceSubscriptions, []);
    assert.equal(attached[0]?.filters.length, 1);
  });

  it('ends with all that hangs on it', async () => {
    const { url, sessions, attached, core, forgotten } = await started();
    const headers = await begin(url);
    const stream = await get(url, headers);
    stream.resume();
    assert.equal((await call(url, { method: 'DELETE', headers })).status, 204);
    await once(stream, 'end');
    assert.deepEqual(
      attached.map((one) => one.open),
      [false, false],
    );
    assert.deepEqual([sessions.size, core.open.size, forgotten.length], [0, 0, 1]);
  });

  it('that is idlest makes room when a principal has too many', async () => {
    const clock = manualClock();
    const { url, sessions } = await started({ clock, sessions: { perPrincipal: 2 } });
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await call(url, { method: 'POST', headers, body: rpc('notifications/initialized') })).status;
    const first = await begin(url);
    clock.advance(1);
    const second = await begin(url);
    clock.advance(1);
    const foreign = await begin(url, 'bob');
    assert.equal(await status(first), 202);
    clock.advance(1);
    await begin(url);
    assert.deepEqual([await status(first), await status(second), await status(foreign)], [202, 404, 202]);
    assert.equal(sessions.size, 3);
  });

  it('stays while its stream is open, however idle, and goes with the sweep after that', async () => {
    const clock = manualClock();
    const { url, sessions } = await started({ clock, sessions: { idle: 1000 } });
    const stream = await get(url, await begin(url));
    clock.advance(5000);
    sessions.endIdle();
    assert.equal(sessions.size, 1);
    stream.destroy();
    while (sessions.size > 0) {
      await tick();
      sessions.endIdle();
    }
  });
});

describe('a legacy answer', () => {
  it('loses the resultType that its era does not know, and nothing else', async () => {
    const value = { resultType: 'complete', tools: [], ttlMs: 5, other: true };
    const { url } = await started({ answers: { 'tools/list': answering(value) } });
    const headers = await begin(url);
    const got = await call(url, { method: 'POST', headers, body: rpc('tools/list', {}, 'a') });
    assert.equal(got.text, '{"jsonrpc":"2.0","id":"a","result":{"tools":[],"ttlMs":5,"other":true}}');
  });

  it('outlives its connection: the rest of the stream is replayed to who comes back, and to that stream only', async () => {
    const given: Outlet[] = [];
    const { url, core, attached } = await started({
      answers: { 'tools/call': scripted((_exchange, outlet) => void given.push(outlet)) },
    });
    const headers = await begin(url);
    const pending = open(url, { method: 'POST', headers, body: rpc('tools/call', { name: 't' }, 5) });
    while (given.length === 0) await tick();
    const outlet = given[0]!;
    void outlet.event(notification('notifications/message', { level: 'info', data: 'one' }));
    const response = await pending;
    const events = sse(response);
    const priming = await next(events);
    const one = await next(events);
    assert.deepEqual([priming.data, typeof priming.id], ['', 'string']);
    assert.match(one.data, /one/);
    response.destroy();
    await once(response, 'close');
    void outlet.event(notification('notifications/message', { level: 'info', data: 'two' }));
    void attached[0]?.outlet.event(notification('notifications/tools/list_changed'));
    outlet.close(result('tools/call', { content: [] }));
    assert.deepEqual(core.cancelled, []);

    const replay = sse(await get(url, { ...headers, 'last-event-id': one.id! }));
    assert.equal((await next(replay)).data, '');
    assert.match((await next(replay)).data, /two/);
    assert.equal((JSON.parse((await next(replay)).data) as { id: number }).id, 5);
    assert.ok((await replay.next()).done);
  });

  it('goes on live to who comes back before it is ready', async () => {
    let outlet: Outlet | undefined;
    const slow = scripted((_exchange, given) => void (outlet = given));
    const { url } = await started({ answers: { 'tools/call': slow }, reply: { primeAfter: 5 } });
    const headers = await begin(url);
    const first = await open(url, { method: 'POST', headers, body: rpc('tools/call', { name: 't' }, 5) });
    const priming = await next(sse(first));
    assert.equal(priming.data, '');
    first.destroy();
    const resumed = sse(await get(url, { ...headers, 'last-event-id': priming.id! }));
    await next(resumed);
    outlet?.close(result('tools/call', { content: [] }));
    assert.equal((JSON.parse((await next(resumed)).data) as { id: number }).id, 5);
    assert.ok((await resumed.next()).done);
  });

  it('is kept within bounds: the oldest events are forgotten first', async () => {
    const { url, attached } = await started({ sessions: { events: { events: 2, bytes: 1e6, retry: 1 } } });
    const headers = await begin(url);
    for (const data of ['one', 'two', 'three'])
      void attached[0]?.outlet.event(notification('notifications/message', { level: 'info', data }));
    const events = sse(await get(url, headers));
    await next(events);
    assert.match((await next(events)).data, /two/);
    assert.match((await next(events)).data, /three/);
    await events.return(undefined);
  });

  it('that is under way when the gateway stops still arrives, while streams without end are ended', async () => {
    const given: Outlet[] = [];
    const slow = scripted((_exchange, outlet) => void given.push(outlet));
    const { url, core, sessions, attached } = await started({ answers: { 'tools/call': slow } });
    const headers = await begin(url);
    const standing = await get(url, headers);
    standing.resume();
    const pending = call(url, { method: 'POST', headers, body: rpc('tools/call', { name: 't' }, 9) });
    while (given.length === 0) await tick();
    for (const { exchange, reply } of core.open.values()) {
      if (exchange.row.method === 'session/stream') reply.fail(exchange, deny('draining'));
    }
    sessions.close();
    await once(standing, 'end');
    assert.deepEqual(
      attached.map((one) => one.open),
      [false, false],
    );
    given[0]?.close(result('tools/call', { content: [] }));
    assert.deepEqual((await pending).result, { content: [] });
  });

  it('ends when the agent cancels it, which hanging up does not', async () => {
    const { url, core } = await started({ answers: { 'tools/call': scripted(() => undefined) } });
    const headers = await begin(url);
    const pending = call(url, { method: 'POST', headers, body: rpc('tools/call', { name: 't' }, 9) });
    while (core.open.size < 2) await tick();
    const cancel = rpc('notifications/cancelled', { requestId: 9 });
    assert.equal((await call(url, { method: 'POST', headers, body: cancel })).status, 202);
    assert.equal((await pending).code, -32800);
    assert.deepEqual(core.cancelled, ['agent_cancelled']);
  });
});

describe('the stock legacy client', () => {
  it('initializes, calls with progress, is asked, hears news and ends its session', async () => {
    const answers: (Message | Deny)[] = [];
    const working = scripted((_exchange, outlet) => {
      void outlet.event(notification('notifications/progress', { progressToken: 'ours', progress: 1 }));
      outlet.ask(
        ask('elicitation/create', { message: 'Name?', requestedSchema: { type: 'object', properties: {} } }),
        (answer) => {
          answers.push(answer);
          outlet.close(result('tools/call', { content: [{ type: 'text', text: 'done' }] }));
        },
      );
    });
    const { url, attached, sessions } = await started({
      answers: { 'tools/list': answering({ tools: [] }), 'tools/call': working },
    });
    const client = new Client({ name: 'c', version: '1' }, { capabilities: { elicitation: {} } });
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ada' } }));
    const requestInit = { headers: { authorization: 'alice' } };
    const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit });
    await client.connect(transport as Transport);
    assert.equal(client.getInstructions(), 'Be kind.');
    assert.deepEqual((await client.listTools()).tools, []);
    const steps: number[] = [];
    const called = await client.callTool({ name: 't', arguments: {} }, undefined, {
      onprogress: ({ progress }) => void steps.push(progress),
    });
    assert.deepEqual(called.content, [{ type: 'text', text: 'done' }]);
    assert.deepEqual(steps, [1]);
    assert.deepEqual((answers[0] as Message).doc.value, {
      jsonrpc: '2.0',
      id: 1,
      result: { action: 'accept', content: { name: 'Ada' } },
    });

    const changed = new Promise((resolve) => client.setNotificationHandler(ToolListChangedNotificationSchema, resolve));
    const updated = new Promise((resolve) => client.setNotificationHandler(ResourceUpdatedNotificationSchema, resolve));
    void attached[0]?.outlet.event(notification('notifications/tools/list_changed'));
    void attached[1]?.outlet.event(notification('notifications/resources/updated', { uri: 'mail://a' }));
    await Promise.all([changed, updated]);
    await transport.terminateSession();
    while (sessions.size > 0) await tick();
    await client.close();
  });
});
