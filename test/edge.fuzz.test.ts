/**
 * The whole way of a message under fire: random bytes and requests that are almost right, into the real doors. Each gets one
 * well-formed HTTP answer or a closed connection; nothing hangs, nothing falls over, and what follows is served.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { WireAgent } from './fixtures/wire/agents.ts';
import { startInside } from './fixtures/wire/inside.ts';
import type { Inside } from './fixtures/wire/inside.ts';
import { wireServer } from './fixtures/wire/servers.ts';
import type { Asked, Era } from './fixtures/wire/servers.ts';
import { jsonText } from './fixtures/wire/texts.ts';
import { mutated, random } from './fuzz/mutate.ts';

const CALLERS = fileURLToPath(new URL('fixtures/callers.ts', import.meta.url));
const PATIENCE_MS = 4_000;
const METHODS = [
  'initialize',
  'server/discover',
  'tools/list',
  'tools/call',
  'prompts/get',
  'resources/read',
  'ping',
  'tasks/get',
  'completion/complete',
  'subscriptions/listen',
  'notifications/cancelled',
  'notifications/initialized',
  'logging/setLevel',
  'no/such',
  '',
];
const VERSIONS = ['2026-07-28', '2025-11-25', '2025-03-26', '2099-01-01', 'x'];

const PARAMS = fc.oneof(
  { arbitrary: fc.constantFrom('{"name":"do"}', '{"name":"do","arguments":{}}', '{"uri":"a://b"}'), weight: 4 },
  { arbitrary: jsonText().map((text) => `{"name":"do","arguments":{"a":${text}}}`), weight: 4 },
  { arbitrary: jsonText().map((text) => `{"name":"do","arguments":${text}}`), weight: 2 },
  { arbitrary: jsonText(), weight: 1 },
);

/** Almost a message. */
const MESSAGE = fc
  .record({
    jsonrpc: mostly('"2.0"', '"1.0"', '2'),
    id: fc.option(
      fc.oneof({ arbitrary: jsonText(), weight: 1 }, { arbitrary: fc.constantFrom('1', '"a"', '7'), weight: 6 }),
      { freq: 8 },
    ),
    method: fc.option(fc.constantFrom(...METHODS), { freq: 10 }),
    params: PARAMS,
    result: mostly<string | null>(null, '{}', '1'),
    envelope: mostly(true, false),
  })
  .map(({ jsonrpc, id, method, params, result, envelope }) => {
    const meta =
      '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}';
    const given = envelope && params.startsWith('{"') ? `{${meta},${params.slice(1)}` : params;
    const members = [
      `"jsonrpc":${jsonrpc}`,
      id === null ? '' : `"id":${id}`,
      method === null ? '' : `"method":"${method}"`,
      `"params":${given}`,
      result === null ? '' : `"result":${result}`,
    ];
    return { method: method ?? '', body: `{${members.filter((part) => part !== '').join(',')}}` };
  });

/** So that most of what is sent gets behind the first rung. */
function mostly<T>(usual: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: fc.constant(usual), weight: 10 }, { arbitrary: fc.constantFrom(...others), weight: 1 });
}

const HEAD = fc.record({
  verb: mostly('POST', 'GET', 'DELETE', 'OPTIONS', 'PUT', 'HEAD'),
  path: mostly('/mcp/one', '/mcp', '/mcp/none', '/', '/mcp/../admin/status', '/mcp/%00', '/metrics', '//mcp'),
  version: fc.option(mostly(VERSIONS[0]!, ...VERSIONS)),
  type: mostly('application/json', 'application/json; charset=utf-8', 'text/plain', ''),
  accept: mostly('application/json, text/event-stream', '*/*', 'text/html'),
  token: mostly('Bearer alice-token', 'Bearer', 'Basic eA=='),
  session: fc.constantFrom('none', 'mine', 'mine', 'forged'),
  mirrored: mostly(true, false),
  twice: mostly('', 'mcp-method: ping\r\n', 'authorization: Bearer bob-token\r\n', 'content-type: text/plain\r\n'),
});

describe('the doors', { timeout: 120_000 }, () => {
  const started = new AsyncDisposableStack();
  const broken: unknown[] = [];
  const note = (error: unknown): void => void broken.push(error);
  let gateway: Inside;
  let legacy: WireAgent;
  let modern: WireAgent;

  before(async () => {
    process.on('unhandledRejection', note);
    const lists = { 'tools/list': () => '{"tools":[{"name":"do","inputSchema":{"type":"object"}}]}' };
    const server = await wireServer('http', 'modern', {
      lists,
      call: (asked: Asked) => asked.result('{"content":[]}'),
    });
    started.adopt(server, (one) => one.close());
    gateway = started.adopt(
      await startInside({ identity: [{ use: CALLERS }], servers: { one: server.settings } }),
      (one) => one.close(),
    );
    [legacy, modern] = (await Promise.all((['legacy', 'modern'] as const).map(agentOf))) as [WireAgent, WireAgent];
  });
  after(async () => {
    await started.disposeAsync();
    process.off('unhandledRejection', note);
  });

  async function agentOf(era: Era): Promise<WireAgent> {
    const agent = await WireAgent.open({ url: gateway.url, token: 'alice-token' }, '/mcp/one', era);
    return started.adopt(agent, (one) => one.close());
  }

  test('answer almost every message with one answer, and say why they refuse', async () => {
    await fc.assert(
      fc.asyncProperty(HEAD, MESSAGE, async (head, { method, body }) => {
        const session = head.session === 'mine' ? legacy.session : head.session === 'forged' ? 'forged' : undefined;
        const lines = [
          `${head.verb} ${head.path} HTTP/1.1`,
          `host: ${new URL(gateway.url).host}`,
          `authorization: ${head.token}`,
          `accept: ${head.accept}`,
          'connection: close',
          `content-length: ${Buffer.byteLength(body)}`,
          ...(head.type === '' ? [] : [`content-type: ${head.type}`]),
          ...(head.version === null ? [] : [`mcp-protocol-version: ${head.version}`]),
          ...(session === undefined ? [] : [`mcp-session-id: ${session}`]),
          ...(head.mirrored ? [`mcp-method: ${method}`, 'mcp-name: do'] : []),
        ];
        const text = await spoken(gateway, Buffer.from(`${lines.join('\r\n')}\r\n${head.twice}\r\n${body}`));
        judge(text);
      }),
      { numRuns: 400, endOnFailure: true },
    );
    await alive();
  });

  test('answer or close on any bytes', async () => {
    const whole = modern.body('tools/call', '"name":"do"', {});
    const request = Buffer.from(
      `POST /mcp/one HTTP/1.1\r\nhost: ${new URL(gateway.url).host}\r\nauthorization: Bearer alice-token\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: do\r\nconnection: close\r\ncontent-length: ${whole.length}\r\n\r\n${whole}`,
    );
    const next = random(7);
    for (let round = 0; round < 20; round += 1) {
      const batch = Array.from({ length: 20 }, () => mutated(request, [request], next));
      for (const text of await Promise.all(batch.map((bytes) => spoken(gateway, bytes)))) judge(text);
      const bodies = Array.from({ length: 20 }, () => mutated(Buffer.from(whole), [Buffer.from(whole)], next));
      for (const answer of await Promise.all(
        bodies.map((body) => modern.post(body, modern.mirrored('tools/call', '"name":"do"'))),
      ))
        assert.ok(answer.status < 500 && answer.last.startsWith('{') === (answer.status !== 202), answer.last);
    }
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) =>
        judge(await spoken(gateway, Buffer.from(bytes))),
      ),
      { numRuns: 100 },
    );
    await alive();
  });

  async function alive(): Promise<void> {
    assert.match((await modern.call('tools/call', '"name":"do"')).last, /"result"/);
    assert.deepEqual(broken, []);
    // what was opened is given back but for the session that stands
    for (const start = performance.now(); gateway.status().servers.some(({ inFlight }) => inFlight > 0);) {
      assert.ok(performance.now() - start < PATIENCE_MS, 'a call is still open');
      await new Promise(setImmediate);
    }
  }
});

/** All that comes back until the end, or the start of a stream. Half a request is ended by this side. */
function spoken({ url }: Inside, bytes: Buffer): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = '';
    const late = setTimeout(
      () => reject(new Error(`nothing was said to ${JSON.stringify(bytes.toString('latin1'))}`)),
      PATIENCE_MS,
    );
    const socket = connect(Number(port), hostname, () => socket.end(bytes));
    const done = (): void => {
      clearTimeout(late);
      socket.destroy();
      resolve(text);
    };
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (/^HTTP\/1\.1 200 [^]*text\/event-stream[^]*\r\n\r\n/.test(text)) done();
    });
    socket.on('error', () => undefined);
    socket.on('close', done);
  });
}

/** Nothing, or one answer: with the length it says, JSON where there is a body, and 5xx only with a reason. */
function judge(text: string): void {
  if (text === '') return;
  const end = text.indexOf('\r\n\r\n');
  const [status, ...lines] = text.slice(0, end).split('\r\n');
  const code = Number(/^HTTP\/1\.1 ([1-5][0-9]{2}) /.exec(status ?? '')?.[1]);
  assert.ok(end > 0 && code >= 200, text);
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const type = headers.get('content-type') ?? '';
  if (type.startsWith('text/event-stream')) return;
  const body = text.slice(end + 4);
  const length = headers.get('content-length');
  if (length !== undefined) assert.ok(body === '' || body.length === Number(length), text);
  if (type.startsWith('application/json') && body !== '') assert.ok(JSON.parse(body), text);
  if (code >= 500) assert.match(body, /"error":\{"code":-?[0-9]+,"message":".+"/, text);
}
