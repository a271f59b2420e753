/** What clients and servers in the field do beside the specification, each with whom it was seen at. */
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { after, before, describe, test } from 'node:test';
import { answered, WireAgent } from './fixtures/wire/agents.ts';
import { wireServer } from './fixtures/wire/servers.ts';
import type { Asked, Era, Transport, WireServer } from './fixtures/wire/servers.ts';
import { startGateway } from './gateway.ts';
import type { Gateway } from './gateway.ts';

const LISTS = { 'tools/list': () => '{"tools":[{"name":"do","inputSchema":{"type":"object"}}]}' };
const DEADLINE_MS = 3_000;
const HTML = '<!doctype html><title>Not here</title><p>{"jsonrpc":"2.0"}</p>';

function http(asked: Asked, status: number, type: string | undefined, body: string | Buffer): void {
  asked.res!.writeHead(status, type === undefined ? {} : { 'content-type': type }).end(body);
}

describe('an agent that', { timeout: 60_000 }, () => {
  const started = new AsyncDisposableStack();
  let gateway: Gateway;
  let server: WireServer;

  before(async () => {
    server = started.adopt(
      await wireServer('http', 'legacy', { lists: LISTS, call: (asked) => asked.result('{"content":[]}') }),
      (one) => one.close(),
    );
    // its process starts, and nothing is ever said by it
    const slow = started.adopt(
      await wireServer('stdio', 'legacy', { discover: () => undefined, call: () => undefined }),
      (one) => one.close(),
    );
    gateway = started.adopt(
      await startGateway({ servers: { one: server.settings, slow: { ...slow.settings, deadline: '20s' } } }),
      (one) => one.close(),
    );
  });
  after(() => started.disposeAsync());

  const agent = async (era: Era, path = '/mcp/one'): Promise<WireAgent> =>
    started.adopt(await WireAgent.open(gateway, path, era), (one) => one.close());

  test('sends `initialize` after a discovery that was answered is served (Claude Code 2.1.280, Copilot CLI 1.0.82)', async () => {
    const modern = await agent('modern');
    assert.match((await modern.call('server/discover', '')).last, /"supportedVersions"/);
    const legacy = await agent('legacy');
    assert.match((await legacy.call('tools/call', '"name":"do"')).last, /"result"/);
    assert.match((await modern.call('tools/call', '"name":"do"')).last, /"result"/);
  });

  test('gives up a discovery after half a second has its answer by then, whatever its servers do (Copilot CLI; C# 5 s, Rust 10 s)', async () => {
    const modern = await agent('modern', '/mcp/slow');
    const start = performance.now();
    const { status, last } = await modern.call('server/discover', '');
    assert.equal(status, 200);
    assert.match(last, /"supportedVersions"/);
    // half a second on a machine of one's own; its server would take 20
    assert.ok(performance.now() - start < 1_500, `${performance.now() - start} ms`);
  });

  test('takes -32602 from a discovery for the end is not given it, whatever else stands in its metadata (Copilot CLI 1.0.79)', async () => {
    const modern = await agent('modern');
    const odd =
      '"io.modelcontextprotocol/clientInfo":{"name":"x","version":"1","odd":1},"io.modelcontextprotocol/odd":{},"vendor.example/x":1';
    const { status, last } = await modern.call('server/discover', '"odd":true', { meta: odd });
    assert.equal(status, 200, last);
  });

  test('names another method in `Mcp-Method` than in its discovery is refused, and told what disagrees; its `initialize` is served (Copilot in Visual Studio)', async () => {
    const modern = await agent('modern');
    const { status, last } = await modern.call('server/discover', '', { headers: { 'mcp-method': 'initialize' } });
    const { error } = JSON.parse(last) as { error: { code: number; data: { mismatch: { name: string } } } };
    assert.deepEqual([status, error.code, error.data.mismatch.name.toLowerCase()], [400, -32020, 'mcp-method']);
    assert.match((await (await agent('legacy')).call('tools/call', '"name":"do"')).last, /"result"/);
  });

  test('sends keys of the later revision in a legacy session is served as legacy, and they stay here (ChatGPT connector)', async () => {
    const legacy = await agent('legacy');
    const meta =
      '"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"openai/x":1';
    const { last } = await legacy.call('tools/call', '"name":"do"', { meta });
    assert.match(last, /"result"/);
    assert.doesNotMatch(last, /resultType/);
    const seen = server.seen.at(-1)!;
    assert.match(seen, /"openai\/x":1/);
    assert.doesNotMatch(seen, /io\.modelcontextprotocol\/client/);
  });

  test('sends `Mcp-Method` in a legacy session, looks around first and opens a session only to end it is served (mcp-remote 0.15.1)', async () => {
    const fresh = await agent('modern');
    const get = await answered(
      fresh.request({ 'mcp-protocol-version': '2025-11-25', accept: 'text/event-stream' }, 'GET').end(),
    );
    assert.equal(get.status, 405);
    for (const path of ['oauth-protected-resource', 'oauth-authorization-server', 'openid-configuration']) {
      const response = await fetch(`${gateway.url}/.well-known/${path}`);
      assert.equal(response.status, 404);
      assert.doesNotMatch(response.headers.get('content-type') ?? '', /html/);
      await response.arrayBuffer();
    }
    const thrown = await agent('legacy');
    assert.ok([200, 204].includes((await answered(thrown.request({}, 'DELETE').end())).status));
    const legacy = await agent('legacy');
    const { last } = await legacy.call('tools/call', '"name":"do"', { headers: { 'mcp-method': 'tools/call' } });
    assert.match(last, /"result"/);
  });

  test('ends its session on any 400 is told what is refused in band (go-sdk)', async () => {
    const legacy = await agent('legacy');
    for (const [method, params] of [
      ['tools/call', '"name":"nothing"'],
      ['tools/call', '"arguments":{}'],
      ['no/such', ''],
      ['prompts/get', '"name":7'],
    ] as const) {
      const { status, last } = await legacy.call(method, params);
      assert.equal(status, 200, `${method} ${params}: ${last}`);
      assert.match(last, /"error"/);
    }
    assert.match((await legacy.call('tools/call', '"name":"do"')).last, /"result"/);
  });
});

/** What a legacy server makes of `server/discover`. None of it keeps the gateway from greeting it the old way. */
const DISCOVERIES: Readonly<Record<string, readonly [Transport, (asked: Asked) => void]>> = {
  'says nothing (FastMCP 3)': ['stdio', () => undefined],
  'ends (rmcp 1)': ['stdio', (asked) => asked.stream.end()],
  'does not know the method (SDK 1)': ['stdio', (asked) => asked.error(-32601, 'Method not found')],
  'finds its parameters invalid': ['stdio', (asked) => asked.error(-32602, 'Invalid request parameters')],
  'answers 500 and -32603 (git-mcp-server)': [
    'http',
    (asked) => {
      asked.res!.statusCode = 500;
      asked.error(-32603, 'Internal error');
    },
  ],
  'answers 500 in HTML': ['http', (asked) => http(asked, 500, 'text/html', HTML)],
  'answers 400 in words (go-sdk)': ['http', (asked) => http(asked, 400, 'text/plain', 'Bad Request: protocolVersion')],
  'answers 404 with nothing (C# SDK)': ['http', (asked) => http(asked, 404, undefined, '')],
  'answers 200 in HTML, as to everything it does not know (dbhub)': [
    'http',
    (asked) => http(asked, 200, 'text/html', HTML),
  ],
  'answers 200 with nothing': ['http', (asked) => http(asked, 200, undefined, '')],
  'answers 202 with words': ['http', (asked) => http(asked, 202, 'text/plain', 'Accepted')],
  'answers JSON that is no message': ['http', (asked) => http(asked, 200, 'application/json', '{"ok":true}')],
  'answers JSON as text': ['http', (asked) => http(asked, 200, 'text/plain', '{"jsonrpc":"2.0","id":1,"result":{}}')],
  'answers compressed': [
    'http',
    (asked) =>
      asked.res!.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(gzipSync('{}')),
  ],
  'begins an answer and never ends it': [
    'http',
    (asked) => void asked.res!.writeHead(200, { 'content-type': 'application/json' }).write('{"jsonrpc"'),
  ],
  'hangs up': ['http', (asked) => void asked.res!.destroy()],
  'says -32000 in band': ['http', (asked) => asked.error(-32000, 'Server not initialized')],
  'says -32001': ['http', (asked) => asked.error(-32001, 'Session not found')],
};

/** What a server makes of a call, and no sooner. Each is an error within the deadline, and the next call is served. */
const ANSWERS: Readonly<Record<string, (asked: Asked) => void>> = {
  '500 in HTML': (asked) => http(asked, 500, 'text/html', HTML),
  '200 in HTML': (asked) => http(asked, 200, 'text/html', HTML),
  '200 of no type': (asked) => http(asked, 200, undefined, `{"jsonrpc":"2.0","id":${asked.id},"result":{}}`),
  '200 as octets': (asked) =>
    http(asked, 200, 'application/octet-stream', `{"jsonrpc":"2.0","id":${asked.id},"result":{}}`),
  '202 with the answer as JSON for somebody else': (asked) =>
    http(asked, 202, 'application/json', '{"jsonrpc":"2.0","id":"nobody","result":{}}'),
  '202 with words': (asked) => http(asked, 202, 'text/plain', 'Accepted'),
  '204': (asked) => void asked.res!.writeHead(204).end(),
  '302 to elsewhere': (asked) => void asked.res!.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  'half an answer, for ever': (asked) =>
    void asked.res!.writeHead(200, { 'content-type': 'application/json' }).write('{"jsonrpc"'),
  'a stream without an answer': (asked) => http(asked, 200, 'text/event-stream', ': nothing\n\n'),
  'a stream cut in the answer': (asked) =>
    http(asked, 200, 'text/event-stream', `data: {"jsonrpc":"2.0","id":${asked.id},"resu`),
  'a compressed answer': (asked) =>
    asked
      .res!.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
      .end(gzipSync(`{"jsonrpc":"2.0","id":${asked.id},"result":{}}`)),
  'a batch': (asked) => http(asked, 200, 'application/json', `[{"jsonrpc":"2.0","id":${asked.id},"result":{}}]`),
  'a byte order mark': (asked) =>
    http(asked, 200, 'application/json', `\ufeff{"jsonrpc":"2.0","id":${asked.id},"result":{}}`),
  'the end of the connection': (asked) => void asked.res!.destroy(),
};

describe('a server that', { timeout: 90_000 }, () => {
  const started = new AsyncDisposableStack();
  const names = Object.keys(DISCOVERIES);
  let gateway: Gateway;
  let odd: (asked: Asked) => void = (asked) => asked.result('{"content":[]}');

  before(async () => {
    const servers: (readonly [string, object])[] = [];
    const add = async (
      name: string,
      transport: Transport,
      discover: ((asked: Asked) => void) | undefined,
    ): Promise<void> => {
      const call = (asked: Asked): void => (name.startsWith('odd') ? odd(asked) : asked.result('{"content":[]}'));
      const era = name === 'odd-modern' ? 'modern' : 'legacy';
      const server = await wireServer(transport, era, { lists: LISTS, call, ...(discover && { discover }) });
      started.adopt(server, (one) => one.close());
      servers.push([name, { ...server.settings, deadline: name.startsWith('odd') ? `${DEADLINE_MS}ms` : '10s' }]);
    };
    for (const [at, name] of names.entries()) await add(`s${at}`, ...DISCOVERIES[name]!);
    await add('odd-modern', 'http', undefined);
    await add('odd-legacy', 'http', undefined);
    gateway = started.adopt(await startGateway({ servers: Object.fromEntries(servers) }), (one) => one.close());
  });
  after(() => started.disposeAsync());

  describe('to a discovery', { concurrency: true }, () => {
    for (const [at, name] of names.entries()) {
      test(`${name} is greeted the old way and served`, async () => {
        const agent = started.adopt(await WireAgent.open(gateway, `/mcp/s${at}`, 'modern'), (one) => one.close());
        const { last } = await agent.call('tools/call', '"name":"do"');
        assert.match(last, /"result"/);
      });
    }
  });

  for (const era of ['modern', 'legacy'] as const) {
    test(`gives a call no answer that is one (${era}) is not waited for, and the next call is served`, async () => {
      const agent = started.adopt(await WireAgent.open(gateway, `/mcp/odd-${era}`, era), (one) => one.close());
      for (const [name, answer] of Object.entries(ANSWERS)) {
        odd = answer;
        const start = performance.now();
        const { status, last } = await agent.call('tools/call', '"name":"do"');
        assert.match(last, /"error":\{"code":-32603/, `${name}: ${status} ${last}`);
        assert.doesNotMatch(last, /html/i, name);
        assert.ok(performance.now() - start < DEADLINE_MS + 1_500, name);
        odd = (asked) => asked.result('{"content":[]}');
        const next = await agent.call('tools/call', '"name":"do"');
        assert.match(next.last, /"result"/, `after ${name}: ${next.last}`);
      }
    });
  }
});
