/** A suspended agent, seen from outside: what it has open ends within a second, and nothing new begins. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startGateway, type Gateway } from './gateway.ts';
import { startPostgres, type TestPostgres } from './postgres.ts';
import { verifies } from './verifies.ts';

const CALLERS = fileURLToPath(new URL('fixtures/callers.ts', import.meta.url));
const FAULTY = fileURLToPath(new URL('fixtures/faulty/stdio.ts', import.meta.url));
const EVERYTHING = fileURLToPath(new URL('../node_modules/.bin/mcp-server-everything', import.meta.url));
const SERVERS = {
  faulty: { command: process.execPath, args: [FAULTY] },
  everything: { command: EVERYTHING, args: [] },
};
const WITHIN_MS = 1_000;

/** As the owner, over the gateway's socket. */
function administer(gateway: Gateway, verb: string, path: string, body: object = {}): Promise<number> {
  const socketPath = join(dirname(dirname(gateway.audit)), 'sallyport.sock');
  const headers = { host: 'localhost', authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const options = { socketPath, path: `/admin/v1${path}`, method: verb, headers, agent: false };
    const sent = request(options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject).end(JSON.stringify(body));
  });
}

const registration = (name: string) => ({
  name,
  owner: 'test',
  proofs: [{ use: 'callers', issuer: 'callers', subject: name }],
});

interface Sending {
  readonly era?: 'modern' | 'legacy';
  readonly session?: string | undefined;
  readonly method?: 'POST' | 'GET';
}

function send(
  gateway: Gateway,
  who: string,
  server: string,
  message: Message | undefined,
  how: Sending = {},
): Promise<Response> {
  const { era = 'modern', session, method = 'POST' } = how;
  const headers = new Headers({
    authorization: `Bearer ${who}-token`,
    accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
    'mcp-protocol-version': era === 'modern' ? '2026-07-28' : '2025-11-25',
  });
  if (session !== undefined) headers.set('mcp-session-id', session);
  if (message) headers.set('content-type', 'application/json');
  if (message && era === 'modern') headers.set('mcp-method', message.method);
  const name = message?.params?.['name'];
  if (era === 'modern' && typeof name === 'string') headers.set('mcp-name', name);
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { sampling: {} },
  };
  const params = { ...message?.params, ...(era === 'modern' ? { _meta } : {}) };
  const body = message && JSON.stringify({ jsonrpc: '2.0', ...message, params });
  return fetch(`${gateway.url}/mcp/${server}`, { method, headers, ...(body === undefined ? {} : { body }) });
}

interface Message {
  readonly id?: number;
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

const call = (name: string, args: object = {}, more: object = {}): Message => ({
  id: 1,
  method: 'tools/call',
  params: { name, arguments: args, ...more },
});

async function signIn(gateway: Gateway, who: string): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: who, version: '1.0.0' } };
  const response = await send(gateway, who, 'faulty', { id: 0, method: 'initialize', params }, { era: 'legacy' });
  assert.match(await response.text(), /protocolVersion/);
  const session = response.headers.get('mcp-session-id')!;
  await send(gateway, who, 'faulty', { method: 'notifications/initialized' }, { era: 'legacy', session });
  return session;
}

/** Resolves when a stream says its first word: it is open then. */
async function opened(response: Response): Promise<{ readonly over: Promise<string> }> {
  assert.equal(response.status, 200);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let said = (await reader.read()).value ?? '';
  const over = (async () => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) said += next.value;
    return said;
  })();
  return { over };
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${what} did not end within a second`)), WITHIN_MS);
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

describe('an agent that is suspended', { timeout: 60_000 }, () => {
  let gateway: Gateway;
  before(async () => {
    gateway = await startGateway({ identity: [{ use: 'local' }, { use: CALLERS }], servers: SERVERS });
    for (const name of ['alice', 'bob'])
      assert.equal(await administer(gateway, 'POST', '/agents', registration(name)), 201);
    await (await send(gateway, 'alice', 'faulty', call('echo'))).text();
    await (await send(gateway, 'bob', 'faulty', call('echo'))).text();
  });
  beforeEach(() => administer(gateway, 'POST', '/agents/alice/resume'));
  after(() => gateway?.close());

  const suspend = async () => assert.equal(await administer(gateway, 'POST', '/agents/alice/suspend'), 200);

  verifies('agents.stopped', 'has its running call ended within a second; that of another goes on', async () => {
    const hers = send(gateway, 'alice', 'faulty', call('hang')).then((response) => response.text());
    const his = send(gateway, 'bob', 'faulty', call('hang')).then((response) => response.text());
    his.catch(() => undefined);
    await underway(gateway, 2);
    await suspend();
    assert.match(await within(hers, 'the call'), /"error"/);
    assert.equal(await openCalls(gateway), 1);
    assert.equal((await send(gateway, 'alice', 'faulty', call('echo'))).status, 403);
    assert.match(await (await send(gateway, 'bob', 'faulty', call('echo'))).text(), /result/);
    await administer(gateway, 'POST', '/agents/bob/suspend');
    await his;
    await administer(gateway, 'POST', '/agents/bob/resume');
  });

  verifies('agents.stopped', 'has its GET stream and its session ended within a second', async () => {
    const session = await signIn(gateway, 'alice');
    const stream = await opened(
      await send(gateway, 'alice', 'faulty', undefined, { era: 'legacy', session, method: 'GET' }),
    );
    await suspend();
    await within(stream.over, 'the stream');
    await administer(gateway, 'POST', '/agents/alice/resume');
    const again = await send(gateway, 'alice', 'faulty', { ...call('echo'), id: 2 }, { era: 'legacy', session });
    assert.equal(again.status, 404);
  });

  verifies('agents.stopped', 'hears nothing any more of what it listens to', async () => {
    const params = { notifications: { toolsListChanged: true } };
    const listen = { id: 7, method: 'subscriptions/listen', params };
    const stream = await opened(await send(gateway, 'alice', 'faulty', listen));
    await suspend();
    await within(stream.over, 'the listen');
  });

  verifies('agents.stopped', 'has its parked call given up: nobody can come back for it', async () => {
    const ask = call('trigger-sampling-request', { prompt: 'Capital?', maxTokens: 5 });
    const first = JSON.parse(lastLine(await (await send(gateway, 'alice', 'everything', ask)).text())) as Parked;
    assert.equal(first.result?.resultType, 'input_required', JSON.stringify(first));
    await suspend();
    await administer(gateway, 'POST', '/agents/alice/resume');
    const { requestState, inputRequests } = first.result;
    const answer = { role: 'assistant', model: 'none', content: { type: 'text', text: 'Paris' } };
    const inputResponses = Object.fromEntries(Object.keys(inputRequests).map((key) => [key, answer]));
    const retry = { ...ask, params: { ...ask.params, requestState, inputResponses } };
    assert.match(await (await send(gateway, 'alice', 'everything', retry)).text(), /is gone/);
  });

  verifies('agents.quarantine', 'or rather held in quarantine, may list and not call', async () => {
    await administer(gateway, 'POST', '/agents/alice/quarantine');
    assert.match(await (await send(gateway, 'alice', 'faulty', { id: 1, method: 'tools/list' })).text(), /"echo"/);
    assert.match(await (await send(gateway, 'alice', 'faulty', call('echo'))).text(), /quarantine/);
  });
});

describe('two replicas on PostgreSQL', { timeout: 120_000 }, () => {
  const started = new AsyncDisposableStack();
  let postgres: TestPostgres;
  let one: Gateway;
  let two: Gateway;
  before(async () => {
    postgres = started.adopt(await startPostgres(), (running) => running.stop());
    process.env['AGENTS_TEST_POSTGRES'] = postgres.url;
    const yaml = {
      identity: [{ use: 'local' }, { use: CALLERS }],
      servers: { faulty: SERVERS.faulty },
      store: { use: 'postgres', url: '${env:AGENTS_TEST_POSTGRES}' },
    };
    [one, two] = await Promise.all([startGateway(yaml), startGateway(yaml)]);
    for (const gateway of [one, two]) started.adopt(gateway, (running) => running.close());
  });
  after(() => started.disposeAsync());

  verifies('agents.stopped', 'a call at one replica ends within a second of a suspension at the other', async () => {
    assert.equal(await administer(one, 'POST', '/agents', registration('alice')), 201);
    await (await send(two, 'alice', 'faulty', call('echo'))).text();
    const running = send(two, 'alice', 'faulty', call('hang')).then((response) => response.text());
    await underway(two, 1);
    assert.equal(await administer(one, 'POST', '/agents/alice/suspend'), 200);
    assert.match(await within(running, 'the call'), /"error"/);
    assert.equal((await send(two, 'alice', 'faulty', call('echo'))).status, 403);
  });
});

interface Parked {
  readonly result?: {
    readonly resultType: string;
    readonly requestState: string;
    readonly inputRequests: Readonly<Record<string, unknown>>;
  };
}

function lastLine(text: string): string {
  const events = text.split('\n').filter((line) => line.startsWith('data:') && line.length > 6);
  return events.at(-1)?.slice('data:'.length) ?? text;
}

/** How many calls wait at servers now. */
async function openCalls(gateway: Gateway): Promise<number> {
  const socketPath = join(dirname(dirname(gateway.audit)), 'sallyport.sock');
  const headers = { host: 'localhost', authorization: `Bearer ${gateway.token}` };
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    const sent = request({ socketPath, path: '/admin/v1/status', headers, agent: false }, (response) => {
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', resolve);
    });
    sent.on('error', reject).end();
  });
  return (JSON.parse(Buffer.concat(chunks).toString()) as { open: number }).open;
}

async function underway(gateway: Gateway, calls: number): Promise<void> {
  while ((await openCalls(gateway)) < calls) await new Promise((resolve) => setImmediate(resolve));
}
