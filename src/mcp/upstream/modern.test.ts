import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Remembering, call, doc, exchange, hop, http, soon, upstreamsOf } from '../../../test/fixtures/upstream/kit.ts';
import {
  DISCOVERED,
  error,
  event,
  events,
  json,
  modern,
  result,
  scripted,
} from '../../../test/fixtures/upstream/scripted-http.ts';
import type { Hit, Scripted } from '../../../test/fixtures/upstream/scripted-http.ts';
import type { Definition, Target } from '../../gateway/exchange.ts';
import type { Grant, ServerSettings, Upstreams } from '../../gateway/ports.ts';

type Fixture = { server: Scripted; upstreams: Upstreams };

async function open(t: TestContext, answer: (hit: Hit) => void, more: Partial<ServerSettings> = {}): Promise<Fixture> {
  const server = await scripted(answer);
  const upstreams = upstreamsOf([http('s', server.url, more)]);
  t.after(async () => {
    await upstreams.close();
    await server.close();
  });
  return { server, upstreams };
}

function send(upstreams: Upstreams, what = call('s', 'echo'), grant?: Grant): Remembering {
  const outlet = new Remembering();
  upstreams.open(what, outlet, grant);
  return outlet;
}

const isCall = (hit: Hit) => hit.body['method'] === 'tools/call';
const OK = '{"content":[],"resultType":"complete"}';

test('nobody there: the call is unavailable, and works once the server is', async (t) => {
  const gone = await scripted(modern((hit) => result(hit, OK)));
  await gone.close();
  const upstreams = upstreamsOf([http('s', gone.url)]);
  t.after(() => upstreams.close());
  assert.match(await send(upstreams).failed.promise, /^upstream_unavailable: .*ECONNREFUSED/);
  assert.equal(upstreams.status()[0]?.state, 'failing');
});

test('401 is no evidence of an era: no other handshake is tried, and no verdict is kept', async (t) => {
  const { server, upstreams } = await open(t, (hit) => void hit.res.writeHead(401).end());
  assert.match(await send(upstreams).failed.promise, /^credential_unavailable: .*HTTP 401/);
  assert.deepEqual(
    server.hits.map(({ body }) => body['method']),
    ['server/discover'],
  );
  assert.equal(upstreams.status()[0]?.era, undefined);
});

test('a credential that cannot be had, or is not given in time, fails the call before anything is sent', async (t) => {
  const server = await scripted(modern((hit) => result(hit, OK)));
  t.after(() => server.close());
  for (const [issue, reason] of [
    [() => Promise.reject(new Error('vault: sealed')), /^credential_unavailable: vault: sealed/],
    [() => Promise.withResolvers<undefined>().promise, /^credential_unavailable: .*in time/],
  ] as const) {
    const upstreams = upstreamsOf([http('s', server.url, { deadline: 50 })], { issue });
    assert.match(await send(upstreams).failed.promise, reason);
    await upstreams.close();
  }
  assert.equal(server.hits.length, 0);
});

test('a redirect is a failure, and the credential goes nowhere', async (t) => {
  const other = await scripted((hit) => result(hit, OK));
  t.after(() => other.close());
  const { upstreams } = await open(
    t,
    modern((hit) => void hit.res.writeHead(307, { location: other.url }).end()),
  );
  assert.match(await send(upstreams).failed.promise, /^upstream_unavailable: HTTP 307/);
  assert.equal(other.hits.length, 0);
});

for (const [what, script, reason] of [
  [
    'a broken JSON text',
    (hit: Hit) => void hit.res.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":'),
    /^upstream_garbage/,
  ],
  [
    'a web page',
    (hit: Hit) => void hit.res.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    /^upstream_garbage: .*text\/html/,
  ],
  ['an answer with another id', (hit: Hit) => json(hit, { jsonrpc: '2.0', id: 999, result: {} }), /^upstream_lost/],
  [
    'an answer without end',
    (hit: Hit) => void hit.res.writeHead(200, { 'content-type': 'application/json' }).end('x'.repeat(2_000_000)),
    /^upstream_too_large/,
  ],
  ['a hang-up', (hit: Hit) => void hit.res.destroy(), /^upstream_lost/],
  ['a failure inside', (hit: Hit) => void hit.res.writeHead(500).end(), /^upstream_lost: HTTP 500/],
  ['a stream that ends early', (hit: Hit) => (events(hit), void hit.res.end()), /^upstream_lost/],
] as const) {
  test(`${what} fails its own call only`, async (t) => {
    const { upstreams } = await open(
      t,
      modern((hit) => ((hit.body['params'] as { name: string }).name === 'bad' ? script(hit) : result(hit, OK))),
    );
    const [bad, good] = [send(upstreams, call('s', 'bad')), send(upstreams)];
    assert.match(await bad.failed.promise, reason);
    assert.deepEqual(await good.result(), { content: [], resultType: 'complete' });
  });
}

test('every byte that is not of this hop goes on as it came, both ways', async (t) => {
  const { server, upstreams } = await open(
    t,
    modern((hit) => result(hit, '{ "big": 12345678901234567890,  "resultType":"complete", "x":1.0}')),
  );
  const text =
    '{"jsonrpc":"2.0", "id":"a", "method":"tools/call","extra":1.50,"params":{"name":"shown","arguments":{"n":12345678901234567890}}}';
  const target: Target = { of: 'definition', server: 's', kind: 'tool', name: 'own', definition: undefined };
  const outlet = send(upstreams, exchange({ server: 's', text, target }));
  const { doc: answer } = await outlet.closed.promise;
  assert.equal(answer.raw(['result']), '{ "big": 12345678901234567890,  "resultType":"complete", "x":1.0}');
  const sent = (await server.next(isCall)).text;
  assert.match(
    sent,
    /^\{"jsonrpc":"2\.0", "id":\d+, "method":"tools\/call","extra":1\.50,"params":\{"name":"own","arguments":\{"n":12345678901234567890\},"_meta":/,
  );
});

test('the hop’s own _meta and mirrored headers are minted, the caller’s taken out', async (t) => {
  const { server, upstreams } = await open(
    t,
    modern((hit) => result(hit, OK)),
  );
  const value = {
    name: 'own',
    inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } },
  };
  const definition: Definition = { server: 's', kind: 'tool', name: 'own', digest: '', body: Buffer.alloc(0), value };
  const params =
    '{"name":"shown","arguments":{"region":"zürich"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/odd":1,"progressToken":"mine","com.acme/k":true}}';
  const target: Target = { of: 'definition', server: 's', kind: 'tool', name: 'own', definition };
  const more = { caps: { elicitation: {} }, logLevel: 'info', progressToken: '"mine"' };
  await send(upstreams, exchange({ server: 's', params, target, more })).result();
  const { body, headers } = await server.next(isCall);
  assert.deepEqual((body['params'] as { _meta: unknown })._meta, {
    progressToken: body['id'],
    'com.acme/k': true,
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
    'io.modelcontextprotocol/clientInfo': { name: 'agent', version: '1' },
    'io.modelcontextprotocol/logLevel': 'info',
  });
  const mirrored = ['mcp-protocol-version', 'mcp-method', 'mcp-name', 'mcp-param-region'].map((name) => headers[name]);
  assert.deepEqual(mirrored, ['2026-07-28', 'tools/call', 'own', '=?base64?esO8cmljaA==?=']);
});

test('a grant’s header takes the place of the configured one, and cannot touch those of the protocol', async (t) => {
  const server = await scripted(modern((hit) => result(hit, OK)));
  const transport = {
    kind: 'http',
    url: server.url,
    legacySse: false,
    headers: { Authorization: 'Bearer static', 'x-a': '1' },
    tls: undefined,
  } as const;
  const upstreams = upstreamsOf([http('s', server.url, { transport })]);
  t.after(async () => {
    await upstreams.close();
    await server.close();
  });
  const grant: Grant = {
    id: 'g',
    headers: [
      ['authorization', 'Bearer mine'],
      ['Mcp-Method', 'evil'],
    ],
    env: {},
    secrets: ['mine'],
  };
  await send(upstreams, call('s', 'echo'), grant).result();
  const { headers } = await server.next(isCall);
  assert.equal(headers.authorization, 'Bearer mine');
  assert.equal(headers['x-a'], '1');
  assert.equal(headers['mcp-method'], 'tools/call');
});

test('progress and logs of a stream reach the exchange whose stream it is', async (t) => {
  const { upstreams } = await open(
    t,
    modern((hit) => {
      events(hit);
      const { id } = hit.body;
      event(hit, {
        jsonrpc: '2.0',
        method: 'notifications/progress',
        params: { progressToken: id ?? null, progress: 1 },
      });
      event(hit, { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 4711, progress: 2 } });
      event(hit, { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'd' } });
      event(hit, { jsonrpc: '2.0', id: id ?? null, result: { content: [], resultType: 'complete' } });
      hit.res.end();
    }),
  );
  const outlet = send(upstreams, call('s', 'echo', {}, { progressToken: '77' }));
  await outlet.result();
  assert.deepEqual(
    outlet.events.map(({ method }) => method),
    ['notifications/progress', 'notifications/message'],
  );
  assert.equal(outlet.events[0]?.doc.raw(['params', 'progressToken']), '77');
});

test('cancelling closes the response stream, and nothing more is told', async (t) => {
  const { server, upstreams } = await open(
    t,
    modern((hit) => events(hit)),
  );
  const outlet = new Remembering();
  const flight = upstreams.open(call('s', 'echo'), outlet, undefined);
  const hit = await server.next(isCall);
  const closed = new Promise((resolve) => hit.res.once('close', resolve));
  flight.cancel('agent_gone');
  await closed;
  assert.equal(outlet.ends, 0);
  assert.equal(server.hits.filter(({ body }) => body['method'] === 'notifications/cancelled').length, 0);
});

test('an error with status 400 and the call’s own id is an answer, data and all', async (t) => {
  const { upstreams } = await open(
    t,
    modern((hit) => error(hit, 400, -32021, 'needs sampling', { requiredCapabilities: { sampling: {} } })),
  );
  const message = await send(upstreams).closed.promise;
  assert.equal(message.payload, 'error');
  assert.equal(message.doc.raw(['error', 'data']), '{"requiredCapabilities":{"sampling":{}}}');
});

test('a server that was exchanged for a legacy one is asked for its era again', async (t) => {
  let old = false;
  const initialized = '{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"n","version":"1"}}';
  const { upstreams } = await open(t, (hit) => {
    if (!old) return hit.body['method'] === 'server/discover' ? result(hit, DISCOVERED) : result(hit, OK);
    if (hit.body['method'] === 'initialize') return result(hit, initialized);
    if (hit.headers['mcp-protocol-version'] === '2026-07-28')
      return error(hit, 400, -32000, 'Bad Request: Unsupported protocol version');
    return hit.verb === 'GET' ? void hit.res.writeHead(405).end() : result(hit, '{"content":[]}');
  });
  await send(upstreams).result();
  old = true;
  assert.equal((await send(upstreams).closed.promise).payload, 'error');
  assert.deepEqual(await send(upstreams).result(), { content: [] });
  assert.equal(upstreams.status()[0]?.era, 'legacy');
});

const FILTER = {
  toolsListChanged: true,
  promptsListChanged: false,
  resourcesListChanged: false,
  resourceSubscriptions: ['a://1'],
  taskIds: [],
};

function acknowledge(hit: Hit, notifications: object): void {
  events(hit);
  const meta = { 'io.modelcontextprotocol/subscriptionId': hit.body['id'] ?? null };
  event(hit, {
    jsonrpc: '2.0',
    method: 'notifications/subscriptions/acknowledged',
    params: { notifications: { ...notifications }, _meta: meta },
  });
}

test('listeners share one stream, hear what they want, and are told what is honoured', async (t) => {
  const { server, upstreams } = await open(
    t,
    modern((hit) => acknowledge(hit, { toolsListChanged: true, resourceSubscriptions: ['a://1', 'a://2'] })),
  );
  const listen = () => exchange({ server: 's', method: 'subscriptions/listen' });
  const [one, two] = [new Remembering(), new Remembering()];
  const first = upstreams.attach('s', listen(), FILTER, one);
  await first.honoured;
  const second = upstreams.attach(
    's',
    listen(),
    { ...FILTER, toolsListChanged: false, resourceSubscriptions: ['a://2'] },
    two,
  );
  assert.deepEqual((await second.honoured).resourceSubscriptions, ['a://2']);
  const streams = server.hits.filter(({ body }) => body['method'] === 'subscriptions/listen');
  const wanted = (streams[1]!.body['params'] as { notifications: unknown }).notifications;
  assert.deepEqual(wanted, { toolsListChanged: true, resourceSubscriptions: ['a://1', 'a://2'] });
  const meta = { 'io.modelcontextprotocol/subscriptionId': streams[1]?.body['id'] ?? null };
  event(streams[1]!, {
    jsonrpc: '2.0',
    method: 'notifications/resources/updated',
    params: { uri: 'a://2', _meta: meta },
  });
  event(streams[1]!, { jsonrpc: '2.0', method: 'notifications/tools/list_changed', params: { _meta: meta } });
  await Promise.all([one.heard(1), two.heard(1)]);
  assert.deepEqual(
    one.events.map(({ method }) => method),
    ['notifications/tools/list_changed'],
  );
  assert.equal(two.events[0]?.doc.raw(['params']), '{"uri":"a://2","_meta":{}}');
  first.close();
  second.close();
});

test('a lost listen stream is opened again', async (t) => {
  let count = 0;
  const again = Promise.withResolvers<void>();
  const { upstreams } = await open(
    t,
    modern((hit) => {
      acknowledge(hit, { toolsListChanged: true });
      if (++count === 1) hit.res.destroy();
      else again.resolve();
    }),
  );
  upstreams
    .attach('s', exchange({ server: 's', method: 'subscriptions/listen' }), FILTER, new Remembering())
    .honoured.catch(() => undefined);
  await again.promise;
});

test('a request of a server is none in this era', async (t) => {
  const { server, upstreams } = await open(
    t,
    modern((hit) => {
      events(hit);
      event(hit, { jsonrpc: '2.0', id: 1, method: 'roots/list' });
      event(hit, { jsonrpc: '2.0', id: hit.body['id'] ?? null, result: { content: [] } });
      hit.res.end();
    }),
  );
  const outlet = send(upstreams);
  await outlet.result();
  assert.equal(outlet.asks.length, 0);
  assert.equal(server.hits.length, 2);
});

test('an own request is answered within its deadline or rejected', async (t) => {
  const { upstreams } = await open(
    t,
    modern(() => undefined),
  );
  await upstreams.surface('s', hop, soon());
  await assert.rejects(upstreams.request('s', hop, 'tools/list', {}, soon(100)), /tools\/list: no answer within/);
  assert.equal(doc('{}').raw([]), '{}');
});
