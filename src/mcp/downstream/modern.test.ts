import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import {
  ask,
  call,
  messageOf,
  notification,
  open,
  POST,
  result,
  sse,
  textOf,
} from '../../../test/fixtures/agent-edge.ts';
import type { Answered, Sse } from '../../../test/fixtures/agent-edge.ts';
import { agentSide, answering, scripted } from '../../../test/fixtures/agent-side.ts';
import type { Side, SideSettings } from '../../../test/fixtures/agent-side.ts';
import type { Outlet } from '../../gateway/ports.ts';

const NOW = '2026-07-28';
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';
const META = {
  'io.modelcontextprotocol/protocolVersion': NOW,
  'io.modelcontextprotocol/clientCapabilities': {},
};

let side: Side | undefined;
afterEach(() => side?.close());

async function started(settings: SideSettings): Promise<Side> {
  side = await agentSide(settings);
  return side;
}

function headers(method: string, name?: string): Record<string, string> {
  const all: Record<string, string> = { ...POST, 'mcp-protocol-version': NOW, 'mcp-method': method };
  if (name !== undefined) all['mcp-name'] = name;
  return all;
}

function body(method: string, params: object = {}, id: string = '1', meta: object = {}): string {
  const text = JSON.stringify({ ...params, _meta: { ...META, ...meta } });
  return `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${text}}`;
}

function list(url: string, id = '1'): Promise<Answered> {
  return call(url, { method: 'POST', headers: headers('tools/list'), body: body('tools/list', {}, id) });
}

function tool(url: string, meta: object = {}): ReturnType<typeof open> {
  const text = body('tools/call', { name: 't', arguments: {} }, '1', meta);
  return open(url, { method: 'POST', headers: headers('tools/call', 't'), body: text });
}

async function next(events: AsyncGenerator<Sse>): Promise<Sse> {
  const { value } = await events.next();
  assert.ok(value !== undefined, 'the stream ended');
  return value as Sse;
}

describe('a modern agent is refused', () => {
  it('with the status and code of the reason, without an id where none was read', async () => {
    const { url } = await started({});
    const malformed = await call(url, { method: 'POST', headers: POST, body: '{' });
    assert.equal(malformed.status, 400);
    assert.ok(malformed.json !== undefined && !('id' in malformed.json));
    const unknown = await call(url, { method: 'POST', headers: headers('foo/bar'), body: body('foo/bar') });
    assert.equal(unknown.status, 404);
    assert.equal(unknown.json?.['id'], 1);
  });

  it('without a token, with a challenge', async () => {
    const { url } = await started({});
    const { authorization: _none, ...anonymous } = headers('tools/list');
    const got = await call(url, { method: 'POST', headers: anonymous, body: body('tools/list') });
    assert.equal(got.status, 401);
    assert.equal(got.headers['www-authenticate'], 'Bearer');
  });

  it('in-band for failures of a server, with nothing of their detail', async () => {
    const failing = scripted((_exchange, outlet) => outlet.fail('upstream_unavailable', 'secret path'));
    const got = await list((await started({ answers: { 'tools/list': failing } })).url);
    assert.equal(got.status, 200);
    assert.deepEqual(got.json?.['error'], { code: -32603, message: 'The server cannot be reached.' });
  });

  it('asks of servers, because its response can carry none', async () => {
    const asking = scripted((_exchange, outlet) => {
      assert.throws(() => outlet.ask(ask('roots/list', {}), () => undefined), /cannot be asked/);
      outlet.close(result('tools/call', { content: [] }));
    });
    const response = await tool((await started({ answers: { 'tools/call': asking } })).url);
    assert.equal(response.headers['content-type'], 'application/json');
    response.resume();
  });
});

describe('a modern answer', () => {
  it('is one JSON text with the id of the agent, every other byte as it came', async () => {
    const raw =
      '{"jsonrpc":"2.0",  "id":0,"result":{"resultType":"complete","tools":[],"ttlMs":12345678901234567890,"cacheScope":"public","x":[1.0]}}';
    const asItCame = scripted((_exchange, outlet) => outlet.close(messageOf(raw, 'closing', 'tools/list')));
    const got = await list((await started({ answers: { 'tools/list': asItCame } })).url, '98765432109876543210');
    assert.equal(got.text, raw.replace('"id":0', '"id":98765432109876543210'));
    assert.equal(got.headers['content-length'], String(got.text.length));
    assert.equal(got.headers['mcp-session-id'], undefined);
  });

  it('gets the members that its era demands and its server did not give', async () => {
    const { url } = await started({
      answers: { 'tools/list': answering({ tools: [] }), 'tools/call': answering({ content: [] }) },
    });
    const listed = await list(url);
    assert.deepEqual(listed.json?.['result'], { tools: [], resultType: 'complete', ttlMs: 0, cacheScope: 'private' });
    const called = JSON.parse(await textOf(await tool(url))) as {
      result: object;
    };
    assert.deepEqual(called.result, { content: [], resultType: 'complete' });
  });

  it('never carries the code of earlier versions for a resource that is not there', async () => {
    const raw = '{"jsonrpc":"2.0","id":0,"error":{"code":-32002,"message":"Not found","data":{"uri":"a://b"}}}';
    const missing = scripted((_exchange, outlet) => outlet.close(messageOf(raw, 'closing', 'resources/read')));
    const { url } = await started({ answers: { 'resources/read': missing } });
    const text = body('resources/read', { uri: 'a://b' });
    const got = await call(url, { method: 'POST', headers: headers('resources/read', 'a://b'), body: text });
    assert.equal(got.text, raw.replace('"id":0', '"id":1').replace('-32002', '-32602'));
  });

  it('with text beyond ASCII and of any size arrives whole', async () => {
    const text = 'é'.repeat(40_000);
    const got = await list((await started({ answers: { 'tools/list': answering({ tools: [], text }) } })).url);
    assert.equal(got.result?.['text'], text);
  });

  it('becomes a stream when something comes before it, with the progress token of the agent', async () => {
    const working = scripted((_exchange, outlet) => {
      void outlet.event(notification('notifications/progress', { progressToken: 'ours', progress: 1 }));
      outlet.close(result('tools/call', { content: [] }));
    });
    const response = await tool((await started({ answers: { 'tools/call': working } })).url, { progressToken: 'mine' });
    assert.equal(response.headers['content-type'], 'text/event-stream');
    assert.equal(response.headers['cache-control'], 'no-cache, no-transform');
    assert.equal(response.headers['x-accel-buffering'], 'no');
    const events = sse(response);
    const first = await next(events);
    assert.equal(first.id, undefined);
    assert.deepEqual(JSON.parse(first.data), {
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: 'mine', progress: 1 },
    });
    const last = JSON.parse((await next(events)).data) as { id: number };
    assert.equal(last.id, 1);
    assert.ok((await events.next()).done);
  });

  it('says nothing of progress that was not asked for', async () => {
    const working = scripted((_exchange, outlet) => {
      void outlet.event(notification('notifications/progress', { progressToken: 'ours', progress: 1 }));
      outlet.close(result('tools/call', { content: [] }));
    });
    const response = await tool((await started({ answers: { 'tools/call': working } })).url);
    assert.equal(response.headers['content-type'], 'application/json');
    response.resume();
  });

  it('that takes long becomes a stream that is kept alive', async () => {
    let outlet: Outlet | undefined;
    const slow = scripted((_exchange, given) => void (outlet = given));
    const { url } = await started({ answers: { 'tools/call': slow }, reply: { streamAfter: 5 }, keepAlive: 5 });
    const response = await tool(url);
    assert.equal(response.headers['content-type'], 'text/event-stream');
    const [comment] = (await once(response, 'data')) as [Buffer];
    assert.equal(comment.toString(), ':\n\n');
    outlet?.close(result('tools/call', { content: [] }));
    response.resume();
    await once(response, 'end');
  });

  it('holds the server back when the agent reads slowly', async () => {
    const written: Promise<void>[] = [];
    const text = 'x'.repeat(200_000);
    const flooding = scripted((_exchange, outlet) => {
      for (let count = 0; count < 200 && written.length === 0; count++) {
        const waits = outlet.event(notification('notifications/message', { level: 'info', data: text }));
        if (waits instanceof Promise) written.push(waits);
      }
      outlet.close(result('tools/call', { content: [] }));
    });
    const response = await tool((await started({ answers: { 'tools/call': flooding } })).url);
    assert.equal(written.length, 1);
    response.resume();
    await written[0];
    await once(response, 'end');
  });
});

describe('a modern agent that hangs up', () => {
  it('cancels its request', async () => {
    let cancelled: (why: string) => void = () => undefined;
    const why = new Promise<string>((resolve) => (cancelled = resolve));
    const working = scripted((_exchange, outlet) => {
      void outlet.event(notification('notifications/message', { level: 'info', data: 'x' }));
      return { cancel: cancelled };
    });
    const response = await tool((await started({ answers: { 'tools/call': working } })).url);
    response.destroy();
    assert.equal(await why, 'agent_gone');
  });
});

describe('a listen', () => {
  const WANTED = { toolsListChanged: true, resourceSubscriptions: ['mail://inbox', 'nobody://x'] };

  function listen(url: string, id = '"sub-1"', notifications: unknown = WANTED): ReturnType<typeof open> {
    const text = body('subscriptions/listen', { notifications }, id);
    return open(url, { method: 'POST', headers: headers('subscriptions/listen'), body: text });
  }

  it('is refused with a filter that is none, and beyond the limit of its principal', async () => {
    const { url } = await started({ listening: { perPrincipal: 1 } });
    for (const wrong of [undefined, [], { toolsListChanged: 1 }, { resourceSubscriptions: [7] }]) {
      const text = body('subscriptions/listen', { notifications: wrong });
      const got = await call(url, { method: 'POST', headers: headers('subscriptions/listen'), body: text });
      assert.equal(got.code, -32602);
    }
    const first = await listen(url);
    const second = await call(url, {
      method: 'POST',
      headers: headers('subscriptions/listen'),
      body: body('subscriptions/listen', { notifications: WANTED }),
    });
    assert.equal(second.code, 429);
    first.destroy();
  });

  it('is acknowledged first and once, with what its servers honour, under its own id', async () => {
    const { url, attached } = await started({});
    const events = sse(await listen(url));
    assert.deepEqual(JSON.parse((await next(events)).data), {
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: {
        notifications: { toolsListChanged: true, resourceSubscriptions: ['mail://inbox'] },
        _meta: { [SUBSCRIPTION]: 'sub-1' },
      },
    });
    assert.deepEqual(
      attached.map(({ server, filters }) => [server, filters[0]?.resourceSubscriptions]),
      [
        ['files', []],
        ['mail', ['mail://inbox']],
      ],
    );
    await events.return(undefined);
  });

  it('passes what was acknowledged, tagged, and nothing else', async () => {
    const { url, attached } = await started({});
    const events = sse(await listen(url, '7'));
    await next(events);
    const { outlet } = attached[1]!;
    void outlet.event(notification('notifications/prompts/list_changed'));
    void outlet.event(notification('notifications/resources/updated', { uri: 'mail://other' }));
    void outlet.event(
      notification('notifications/resources/updated', {
        uri: 'mail://inbox',
        _meta: { [SUBSCRIPTION]: 'theirs', x: 1 },
      }),
    );
    void outlet.event(notification('notifications/tools/list_changed'));
    assert.deepEqual((JSON.parse((await next(events)).data) as { params: object }).params, {
      uri: 'mail://inbox',
      _meta: { [SUBSCRIPTION]: 7, x: 1 },
    });
    assert.deepEqual(JSON.parse((await next(events)).data), {
      jsonrpc: '2.0',
      method: 'notifications/tools/list_changed',
      params: { _meta: { [SUBSCRIPTION]: 7 } },
    });
    await events.return(undefined);
  });

  it('waits for servers only so long, and lets early news wait for the acknowledgement', async () => {
    const honours: SideSettings['honours'] = (server, filter) =>
      server === 'mail' ? new Promise(() => undefined) : Promise.resolve(filter);
    const { url, attached, answers } = await started({ honours, listening: { acknowledgeWithin: 20 } });
    const real = answers['subscriptions/listen']!;
    answers['subscriptions/listen'] = scripted((exchange, outlet) => {
      const flight = real.open(exchange, outlet, undefined);
      setImmediate(() => void attached[0]?.outlet.event(notification('notifications/tools/list_changed')));
      return flight;
    });
    const events = sse(await listen(url));
    const acknowledged = JSON.parse((await next(events)).data) as { method: string; params: { notifications: object } };
    assert.equal(acknowledged.method, 'notifications/subscriptions/acknowledged');
    assert.deepEqual(acknowledged.params.notifications, { toolsListChanged: true });
    assert.match((await next(events)).data, /tools\/list_changed/);
    await events.return(undefined);
  });

  it('closes its attachments when the agent hangs up', async () => {
    const { url, attached, core } = await started({});
    const response = await listen(url);
    const events = sse(response);
    await next(events);
    response.destroy();
    while (core.cancelled.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      attached.map((one) => one.open),
      [false, false],
    );
  });

  it('ends complete when the gateway drains', async () => {
    const { url, core } = await started({});
    const events = sse(await listen(url));
    await next(events);
    core.drain();
    assert.deepEqual(JSON.parse((await next(events)).data), {
      jsonrpc: '2.0',
      id: 'sub-1',
      result: { resultType: 'complete', _meta: { [SUBSCRIPTION]: 'sub-1' } },
    });
    assert.ok((await events.next()).done);
  });
});

describe('the stock modern client', () => {
  const TOOL = { name: 't', description: 'A tool.', inputSchema: { type: 'object' } };
  const DISCOVER = {
    supportedVersions: [NOW],
    capabilities: { tools: { listChanged: true } },
    _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'gateway', version: '1.0.0' } },
  };

  it('discovers, lists, calls with progress and hears of list changes', async () => {
    const working = scripted((exchange, outlet) => {
      const progressToken = 'ours';
      if (exchange.progressToken !== undefined)
        void outlet.event(notification('notifications/progress', { progressToken, progress: 1 }));
      outlet.close(result('tools/call', { content: [{ type: 'text', text: 'done' }] }));
    });
    const { url, attached } = await started({
      answers: {
        'server/discover': answering(DISCOVER),
        'tools/list': answering({ tools: [TOOL] }),
        'tools/call': working,
      },
    });
    const client = new Client({ name: 'c', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    const requestInit = { headers: { authorization: 'alice' } };
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
    assert.equal(client.getNegotiatedProtocolVersion(), NOW);
    assert.deepEqual(
      (await client.listTools()).tools.map((each) => each.name),
      ['t'],
    );
    const steps: number[] = [];
    const called = await client.callTool(
      { name: 't', arguments: {} },
      { onprogress: ({ progress }) => void steps.push(progress) },
    );
    assert.deepEqual([called.content, steps], [[{ type: 'text', text: 'done' }], [1]]);
    const changed = new Promise((resolve) =>
      client.setNotificationHandler('notifications/tools/list_changed', resolve),
    );
    const subscription = await client.listen({ toolsListChanged: true });
    void attached.at(-1)?.outlet.event(notification('notifications/tools/list_changed'));
    await changed;
    await subscription.close();
    await client.close();
  });
});
