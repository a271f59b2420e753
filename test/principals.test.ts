/** Nobody's context is another's: two callers of one gateway, who use the same ids on purpose. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stdioCommand } from './conformance/fixture.ts';
import { startGateway } from './gateway.ts';
import type { Gateway } from './gateway.ts';
import { events } from './real/raw.ts';

const CALLERS = fileURLToPath(new URL('fixtures/callers.ts', import.meta.url));
const FAULTY = fileURLToPath(new URL('fixtures/faulty/stdio.ts', import.meta.url));
const EVERYTHING = fileURLToPath(new URL('../node_modules/.bin/mcp-server-everything', import.meta.url));

/** One person: a token, and the legacy session where there is one. */
interface Caller {
  token: string;
  session?: string;
}

/** Ends with the test: news that belong to no request go to a principal's only session, or to nobody. */
type SignedIn = Caller & AsyncDisposable;

interface Reply {
  status: number;
  result?: Record<string, unknown>;
  error?: { code: number; message: string };
}

describe('what one principal has, another', { timeout: 30_000 }, () => {
  const started = new AsyncDisposableStack();
  let gateway: Gateway;

  before(async () => {
    const running = await startGateway({
      identity: [{ use: 'local' }, { use: CALLERS }],
      servers: {
        faulty: { command: process.execPath, args: [FAULTY] },
        everything: { command: EVERYTHING, args: [] },
        shared: { command: process.execPath, args: [FAULTY], isolation: 'shared' },
        'shared-everything': { command: EVERYTHING, args: [], isolation: 'shared' },
        modern: stdioCommand('modern'),
      },
    });
    gateway = started.adopt(running, (one) => one.close());
  });
  after(() => started.disposeAsync());

  test('cannot use its session, nor end it', async () => {
    await using alice = await signIn('alice', 'faulty');
    const thief = { token: 'bob-token', session: alice.session! };
    assert.equal((await call(thief, 'faulty', 1, 'echo', { text: 'hers' })).status, 404);
    assert.equal((await send(thief, 'faulty', { method: 'DELETE' })).status, 404);
    assert.equal((await send(thief, 'faulty', { method: 'GET' })).status, 404);
    assert.match(textOf(await call(alice, 'faulty', 1, 'echo', { text: 'mine' })), /mine$/);
  });

  test('gets its own answer to the same id at the same moment', async () => {
    await using alice = await signIn('alice', 'faulty');
    await using bob = await signIn('bob', 'faulty');
    const [hers, his] = await Promise.all([
      call(alice, 'faulty', 7, 'echo', { text: 'of Alice' }),
      call(bob, 'faulty', 7, 'echo', { text: 'of Bob' }),
    ]);
    assert.match(textOf(hers), /of Alice$/);
    assert.match(textOf(his), /of Bob$/);
    assert.notEqual(textOf(hers).split(':')[0], textOf(his).split(':')[0], 'each has a process of its own');
  });

  test('gets its own answer from a process that both share', async () => {
    await using alice = await signIn('alice', 'shared');
    await using bob = await signIn('bob', 'shared');
    const [hers, his] = await Promise.all([
      call(alice, 'shared', 7, 'echo', { text: 'of Alice' }),
      call(bob, 'shared', 7, 'echo', { text: 'of Bob' }),
    ]);
    assert.match(textOf(hers), /of Alice$/);
    assert.match(textOf(his), /of Bob$/);
    assert.equal(textOf(hers).split(':')[0], textOf(his).split(':')[0]);
  });

  for (const server of ['everything', 'shared-everything']) {
    test(`cannot cancel its request by the same id (${server})`, async () => {
      await using alice = await signIn('alice', server);
      await using bob = await signIn('bob', server);
      const running = call(alice, server, 8, 'trigger-long-running-operation', { duration: 0.6, steps: 2 });
      const cancel = { method: 'notifications/cancelled', params: { requestId: 8 } };
      assert.equal((await post(bob, server, cancel)).status, 202);
      assert.match(textOf(await running), /completed/);
    });
  }

  test('cannot answer what its server asks', async () => {
    await using alice = await signIn('alice', 'shared-everything');
    await using bob = await signIn('bob', 'shared-everything');
    const params = { name: 'trigger-sampling-request', arguments: { prompt: 'Capital?', maxTokens: 5 } };
    const body = message({ id: 4, method: 'tools/call', params });
    await using answers = await stream(await send(alice, 'shared-everything', { method: 'POST', body }));
    const asked = JSON.parse(await answers.next()) as { id: unknown; method: string };
    assert.equal(asked.method, 'sampling/createMessage');
    await post(bob, 'shared-everything', { id: asked.id, result: sampled('forged by Bob') });
    await post(alice, 'shared-everything', { id: asked.id, result: sampled('Paris') });
    const answer = await answers.next();
    assert.match(answer, /Paris/);
    assert.doesNotMatch(answer, /forged/);
  });

  test('does not hear its news on a stream', async () => {
    await using alice = await signIn('alice', 'faulty');
    await using bob = await signIn('bob', 'faulty');
    await using hers = await stream(await send(alice, 'faulty', { method: 'GET' }));
    await using his = await stream(await send(bob, 'faulty', { method: 'GET' }));
    textOf(await call(alice, 'faulty', 9, 'tell', { text: 'news for Alice' }));
    assert.match(await hers.next(), /news for Alice/);
    textOf(await call(bob, 'faulty', 9, 'tell', { text: 'news for Bob' }));
    assert.match(await his.next(), /news for Bob/);
  });

  test('does not hear what it listens to under the same id', async () => {
    const [alice, bob] = [{ token: 'alice-token' }, { token: 'bob-token' }];
    const params = { notifications: { toolsListChanged: true, promptsListChanged: true } };
    const listen = { id: 'sub-1', method: 'subscriptions/listen', params };
    await using hers = await stream(await send(alice, 'modern', modern(listen)));
    await using his = await stream(await send(bob, 'modern', modern(listen)));
    assert.match(await hers.next(), /acknowledged/);
    assert.match(await his.next(), /acknowledged/);
    await callModern(alice, 'test_trigger_tool_change');
    assert.match(await hers.next(), /tools\/list_changed.*sub-1/);
    await callModern(bob, 'test_trigger_prompt_change');
    assert.match(await his.next(), /prompts\/list_changed.*sub-1/);
  });

  test('cannot see, read or cancel its tasks', async () => {
    await using alice = await signIn('alice', 'everything');
    await using bob = await signIn('bob', 'everything');
    const params = { name: 'simulate-research-query', arguments: { topic: 'doors' }, task: { ttl: 60_000 } };
    const { result } = await post(alice, 'everything', { id: 1, method: 'tools/call', params });
    const { taskId } = (result as { task: { taskId: string } }).task;
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
      const { error } = await post(bob, 'everything', { id: 2, method, params: { taskId } });
      assert.equal(error?.code, -32602, method);
    }
    assert.deepEqual((await post(bob, 'everything', { id: 3, method: 'tasks/list' })).result?.['tasks'], []);
    const still = await post(alice, 'everything', { id: 2, method: 'tasks/get', params: { taskId } });
    assert.equal(still.result?.['status'], 'working');
  });

  async function signIn(name: string, server: string): Promise<SignedIn> {
    const capabilities = { sampling: {}, tasks: { requests: { tools: { call: {} } } } };
    const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name, version: '1.0.0' } };
    const caller = { token: `${name}-token` };
    const response = await send(caller, server, {
      method: 'POST',
      body: message({ id: 0, method: 'initialize', params }),
    });
    assert.match(await response.text(), /protocolVersion/);
    const signedIn = { ...caller, session: response.headers.get('mcp-session-id')! };
    await post(signedIn, server, { method: 'notifications/initialized' });
    return {
      ...signedIn,
      [Symbol.asyncDispose]: async () => void (await send(signedIn, server, { method: 'DELETE' })),
    };
  }

  function call(caller: Caller, server: string, id: number, name: string, args: object): Promise<Reply> {
    return post(caller, server, { id, method: 'tools/call', params: { name, arguments: args } });
  }

  async function callModern(caller: Caller, name: string): Promise<void> {
    const request = { id: 1, method: 'tools/call', params: { name, arguments: {} } };
    assert.match(await (await send(caller, 'modern', modern(request))).text(), /"result"/);
  }

  async function post(caller: Caller, server: string, body: object): Promise<Reply> {
    const response = await send(caller, server, { method: 'POST', body: message(body) });
    const { status } = response;
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
      const text = await response.text();
      return { status, ...(text === '' ? {} : (JSON.parse(text) as object)) };
    }
    let last = '{}';
    for await (const { data } of events(response)) if (data.includes('"id"')) last = data;
    return { status, ...(JSON.parse(last) as object) };
  }

  function send({ token, session }: Caller, server: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${token}`);
    headers.set('accept', init.method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream');
    if (init.method === 'POST') headers.set('content-type', 'application/json');
    if (session !== undefined) headers.set('mcp-session-id', session);
    if (!headers.has('mcp-protocol-version')) headers.set('mcp-protocol-version', '2025-11-25');
    return fetch(`${gateway.url}/mcp/${server}`, { ...init, headers });
  }
});

function sampled(text: string): object {
  return { role: 'assistant', model: 'none', content: { type: 'text', text } };
}

function message(body: object): string {
  return JSON.stringify({ jsonrpc: '2.0', ...body });
}

function modern(request: {
  id: unknown;
  method: string;
  params: { name?: string; [member: string]: unknown };
}): RequestInit {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const { name } = request.params;
  const headers = new Headers({ 'mcp-protocol-version': '2026-07-28', 'mcp-method': request.method });
  if (name !== undefined) headers.set('mcp-name', name);
  return { method: 'POST', headers, body: message({ ...request, params: { ...request.params, _meta } }) };
}

/** Reads one event after the other; priming events are empty and skipped. */
async function stream(response: Response): Promise<{ next: () => Promise<string> } & AsyncDisposable> {
  assert.equal(response.status, 200);
  const source = events(response)[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await source.next();
    assert.ok(!done, 'the stream ended');
    const { data } = value as { data: string };
    return data === '' ? next() : data;
  };
  return { next, [Symbol.asyncDispose]: async () => void (await source.return?.(undefined)) };
}

function textOf({ result, ...rest }: Reply): string {
  assert.ok(result, JSON.stringify(rest));
  return (result['content'] as { text: string }[])[0]!.text;
}
