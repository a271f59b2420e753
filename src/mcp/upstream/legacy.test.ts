import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import {
  Remembering,
  call,
  doc,
  exchange,
  hop,
  http,
  resultOf,
  soon,
  upstreamsOf,
} from '../../../test/fixtures/upstream/kit.ts';
import {
  INITIALIZED,
  error,
  event,
  events,
  legacy,
  result,
  scripted,
} from '../../../test/fixtures/upstream/scripted-http.ts';
import type { Hit, LegacyScript, Scripted } from '../../../test/fixtures/upstream/scripted-http.ts';
import type { ServerSettings, Upstreams } from '../../gateway/ports.ts';

type Script = ReturnType<typeof legacy>;
type Fixture = { server: Scripted; upstreams: Upstreams; script: Script };

async function open(t: TestContext, script: LegacyScript, more: Partial<ServerSettings> = {}): Promise<Fixture> {
  const made = legacy(script);
  const server = await scripted(made.answer);
  const upstreams = upstreamsOf([http('s', server.url, more)]);
  t.after(async () => {
    await upstreams.close();
    await server.close();
  });
  return { server, upstreams, script: made };
}

function send(upstreams: Upstreams, what = call('s', 'echo')): Remembering {
  const outlet = new Remembering();
  upstreams.open(what, outlet, undefined);
  return outlet;
}

const OK = '{"content":[]}';
const of = (method: string) => (hit: Hit) => hit.body['method'] === method;

test('a session that is forgotten at once again and again ends in a fault, not in a loop', async (t) => {
  let forget = (): void => undefined;
  const { upstreams, script } = await open(t, {
    call: (hit) => (forget(), error(hit, 404, -32001, 'Session not found')),
  });
  forget = script.forget;
  assert.match(await send(upstreams).failed.promise, /^upstream_unavailable: .*forgets/);
  assert.equal(script.sessions(), 2);
});

test('what is refused with 401 is not sent again', async (t) => {
  const { server, upstreams } = await open(t, { call: (hit) => void hit.res.writeHead(401).end() });
  assert.match(await send(upstreams).failed.promise, /^credential_unavailable/);
  assert.equal(server.hits.filter(of('tools/call')).length, 1);
});

test('a stream that breaks without event ids is lost, and the call is not repeated', async (t) => {
  const { server, upstreams } = await open(t, {
    call: (hit) => (events(hit), void hit.res.write(':\n\n', () => hit.res.destroy())),
  });
  assert.match(await send(upstreams).failed.promise, /^upstream_lost/);
  assert.equal(server.hits.filter(of('tools/call')).length, 1);
});

test('a forgotten session is made again, with level and subscriptions, and the refused calls go through', async (t) => {
  const { server, upstreams, script } = await open(t, { call: (hit) => result(hit, OK) });
  await send(upstreams, exchange({ server: 's', method: 'logging/setLevel', params: '{"level":"error"}' })).result();
  await send(upstreams, exchange({ server: 's', method: 'resources/subscribe', params: '{"uri":"a://1"}' })).result();
  script.forget();
  const before = server.hits.length;
  await Promise.all([send(upstreams).result(), send(upstreams).result()]);
  assert.equal(script.sessions(), 2);
  const replayed = server.hits.slice(before).filter(({ headers }) => headers['mcp-session-id'] === 's2');
  const methods = replayed.filter(({ verb }) => verb === 'POST').map(({ body }) => body['method']);
  assert.deepEqual(methods.slice(0, 3), ['notifications/initialized', 'logging/setLevel', 'resources/subscribe']);
  assert.equal(methods.filter((method) => method === 'tools/call').length, 2);
});

test('a server that says 400 “no valid session” is understood as well', async (t) => {
  let live = 1;
  const server = await scripted((hit) => {
    if (hit.body['method'] === 'initialize') return result(hit, INITIALIZED, { 'mcp-session-id': `s${live}` });
    if (hit.verb === 'GET') return void hit.res.writeHead(405).end();
    if (hit.headers['mcp-session-id'] !== `s${live}`)
      return error(hit, 400, -32000, 'Bad Request: No valid session ID provided');
    return 'id' in hit.body ? result(hit, OK) : void hit.res.writeHead(202).end();
  });
  const upstreams = upstreamsOf([http('s', server.url)]);
  t.after(async () => {
    await upstreams.close();
    await server.close();
  });
  await send(upstreams).result();
  live = 2;
  assert.deepEqual(await send(upstreams).result(), { content: [] });
});

test('a server that answers 500 to the discovery is legacy', async (t) => {
  const script = legacy({ call: (hit) => result(hit, OK) });
  const server = await scripted((hit) =>
    of('server/discover')(hit) ? error(hit, 500, -32603, 'Internal') : script.answer(hit),
  );
  const upstreams = upstreamsOf([http('s', server.url)]);
  t.after(async () => {
    await upstreams.close();
    await server.close();
  });
  assert.equal((await upstreams.surface('s', hop, soon())).era, 'legacy');
});

test('the server sees the agent’s own capabilities and name, and every request its session and version', async (t) => {
  const { server, upstreams } = await open(t, { call: (hit) => result(hit, OK) });
  const more = { caps: { roots: { listChanged: true } }, clientInfo: { name: 'cursor', version: '9' } };
  await send(upstreams, call('s', 'echo', {}, more)).result();
  const { params } = (await server.next(of('initialize'))).body;
  assert.deepEqual(params, { protocolVersion: '2025-11-25', capabilities: more.caps, clientInfo: more.clientInfo });
  const { headers } = await server.next(of('tools/call'));
  assert.equal(headers['mcp-session-id'], 's1');
  assert.equal(headers['mcp-protocol-version'], '2025-11-25');
  assert.equal(headers['mcp-method'], undefined);
});

test('a stream that closes before the answer is taken up again where it was left', async (t) => {
  let id: unknown;
  const { server, upstreams } = await open(t, {
    call: (hit) => {
      id = hit.body['id'];
      hit.res.writeHead(200, { 'content-type': 'text/event-stream' }).end('id: e1\nretry: 20\ndata: \n\n');
    },
    stream: (hit) => {
      events(hit);
      if (hit.headers['last-event-id'] === 'e1')
        event(hit, { jsonrpc: '2.0', id: Number(id), result: { content: [] } }, 'e2');
    },
  });
  assert.deepEqual(await send(upstreams).result(), { content: [] });
  assert.equal(server.hits.filter(of('tools/call')).length, 1);
});

test('an ask on a call’s stream belongs to that call, whoever else is waiting', async (t) => {
  const { server, upstreams } = await open(t, {
    call: (hit) => {
      events(hit);
      const { name } = hit.body['params'] as { name: string };
      if (name === 'asks') event(hit, { jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: {} });
    },
  });
  const other = send(upstreams, call('s', 'waits'));
  const asking = send(upstreams, call('s', 'asks'));
  const { answered } = await asking.asked();
  answered({
    kind: 'closing',
    method: 'elicitation/create',
    doc: doc('{"jsonrpc":"2.0","id":0,"result":{"action":"decline"}}'),
    payload: 'result',
  });
  const answer = await server.next(({ body }) => 'result' in body);
  assert.deepEqual(answer.body, { jsonrpc: '2.0', id: 'q', result: { action: 'decline' } });
  assert.equal(other.asks.length, 0);
});

test('asks on the GET stream go to the only session that stands, and are refused where two stand', async (t) => {
  let stream: Hit | undefined;
  const { server, upstreams } = await open(t, {
    call: (hit) => result(hit, OK),
    stream: (hit) => void (events(hit), (stream = hit)),
  });
  const filter = {
    toolsListChanged: true,
    promptsListChanged: false,
    resourcesListChanged: false,
    resourceSubscriptions: [],
    taskIds: [],
  };
  const stand = (session: string) => exchange({ server: 's', method: 'initialize', more: { session } });
  const one = new Remembering();
  await upstreams.attach('s', stand('one'), filter, one).honoured;
  await server.next(({ verb }) => verb === 'GET');
  event(stream!, { jsonrpc: '2.0', id: 1, method: 'roots/list' });
  const { answered } = await one.asked();
  answered({
    effect: 'deny',
    reason: 'ask_not_possible',
    rules: [],
    detail: undefined,
    data: undefined,
    tell: undefined,
  });
  await server.next(({ body }) => body['id'] === 1 && 'error' in body);
  await upstreams.attach('s', stand('two'), filter, new Remembering()).honoured;
  event(stream!, { jsonrpc: '2.0', id: 2, method: 'roots/list' });
  const refused = await server.next(({ body }) => body['id'] === 2 && 'error' in body);
  assert.equal((refused.body['error'] as { code: number }).code, -32601);
  assert.equal(one.asks.length, 0);
});

test('a ping of the server is answered without anybody being asked', async (t) => {
  const { server, upstreams } = await open(t, {
    call: (hit) => (events(hit), event(hit, { jsonrpc: '2.0', id: 'p', method: 'ping' })),
  });
  const outlet = send(upstreams);
  const pong = await server.next(({ body }) => body['id'] === 'p');
  assert.deepEqual(pong.body, { jsonrpc: '2.0', id: 'p', result: {} });
  assert.equal(outlet.asks.length, 0);
});

test('cancelling says so to the server, and the session goes on', async (t) => {
  const { server, upstreams } = await open(t, {
    call: (hit) => ((hit.body['params'] as { name: string }).name === 'waits' ? events(hit) : result(hit, OK)),
  });
  const outlet = new Remembering();
  const flight = upstreams.open(call('s', 'waits'), outlet, undefined);
  const { id } = (await server.next(of('tools/call'))).body;
  flight.cancel('agent_cancelled');
  const told = await server.next(of('notifications/cancelled'));
  assert.deepEqual(told.body['params'], { requestId: id, reason: 'agent_cancelled' });
  assert.deepEqual(await send(upstreams).result(), { content: [] });
  assert.equal(outlet.ends, 0);
});

test('listeners subscribe once, and unsubscribe with the last of them', async (t) => {
  const { server, upstreams } = await open(t, { call: (hit) => result(hit, '{}') });
  const filter = {
    toolsListChanged: false,
    promptsListChanged: false,
    resourcesListChanged: false,
    resourceSubscriptions: ['a://1'],
    taskIds: [],
  };
  const listen = () => exchange({ server: 's', method: 'subscriptions/listen' });
  const one = upstreams.attach('s', listen(), filter, new Remembering());
  await one.honoured;
  const two = upstreams.attach('s', listen(), filter, new Remembering());
  assert.deepEqual((await two.honoured).resourceSubscriptions, ['a://1']);
  one.close();
  two.close();
  await server.next(of('resources/unsubscribe'));
  assert.equal(server.hits.filter(of('resources/subscribe')).length, 1);
});

test('close does not wait for a server that does not answer its greeting', async (t) => {
  const server = await scripted(() => undefined);
  const upstreams = upstreamsOf([http('s', server.url, { deadline: 60_000 })]);
  t.after(() => server.close());
  const surface = assert.rejects(upstreams.surface('s', hop, soon(60_000)), { reason: 'upstream_unavailable' });
  await server.next(of('server/discover'));
  await upstreams.close();
  await surface;
});

test('closing ends the session at the server', async (t) => {
  const { server, upstreams } = await open(t, { call: (hit) => result(hit, OK) });
  await send(upstreams).result();
  await upstreams.close();
  assert.equal((await server.next(({ verb }) => verb === 'DELETE')).headers['mcp-session-id'], 's1');
});

/** HTTP+SSE of 2024-11-05; `endpoint` is what the server announces. */
async function oldServer(
  t: TestContext,
  endpoint: (origin: string) => string,
): Promise<{ server: Scripted; upstreams: Upstreams }> {
  let stream: Hit | undefined;
  const server = await scripted((hit) => {
    if (hit.verb === 'GET') {
      events(hit);
      stream = hit;
      return void hit.res.write(`event: endpoint\ndata: ${endpoint(server.origin)}\n\n`);
    }
    if (hit.path !== '/messages?s=1') return void hit.res.writeHead(404).end();
    hit.res.writeHead(202).end('Accepted');
    const { id, method } = hit.body;
    if (id === undefined) return;
    event(stream!, {
      jsonrpc: '2.0',
      id,
      result: method === 'initialize' ? JSON.parse(INITIALIZED) : { content: [], tools: [] },
    });
  });
  const upstreams = upstreamsOf([http('s', `${server.origin}/sse`)]);
  t.after(async () => {
    await upstreams.close();
    await server.close();
  });
  return { server, upstreams };
}

test('an endpoint event that names another origin ends the connection before anything is sent there', async (t) => {
  const other = await scripted((hit) => result(hit, OK));
  t.after(() => other.close());
  const { upstreams } = await oldServer(t, () => `${other.origin}/messages?s=1`);
  await assert.rejects(upstreams.surface('s', hop, soon()));
  assert.equal(other.hits.length, 0);
});

test('a server of the HTTP+SSE days is found and served', async (t) => {
  const { server, upstreams } = await oldServer(t, () => '/messages?s=1');
  assert.deepEqual(await send(upstreams).result(), { content: [], tools: [] });
  const list = await upstreams.request('s', hop, 'tools/list', {}, soon());
  assert.deepEqual(resultOf(list.value)['tools'], []);
  const stream = server.hits.find(({ verb }) => verb === 'GET');
  stream?.res.destroy();
  while (upstreams.status()[0]?.state === 'ready') await once(AbortSignal.timeout(5), 'abort');
  assert.deepEqual(await send(upstreams).result(), { content: [], tools: [] });
});
