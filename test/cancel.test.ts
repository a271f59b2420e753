/**
 * Cancellation in every translation. A modern agent cancels by closing its response, a legacy one by a notification; a modern
 * server over HTTP is told by the closed response, every other one by a notification with the id that it knows. A legacy
 * agent that only loses its connection has cancelled nothing (2025-11-25 basic/transports).
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DISCOVER, TOOLS } from './fixtures/cancel/words.ts';
import { event, events, legacy, result, scripted } from './fixtures/upstream/scripted-http.ts';
import type { Hit, Scripted } from './fixtures/upstream/scripted-http.ts';
import { startGateway } from './gateway.ts';
import type { Gateway } from './gateway.ts';

const STDIO = fileURLToPath(new URL('fixtures/cancel/stdio.ts', import.meta.url));
const VERSION = { modern: '2026-07-28', legacy: '2025-11-25' } as const;
const TOKEN = 'agent-token';
type Era = keyof typeof VERSION;

/** A server as the test asks it what it was told. */
interface Told {
  readonly settings: object;
  /** Resolves when the call that hangs was cancelled there; checks that the right one was. */
  readonly cancelled: (agent: Agent) => Promise<void>;
  /** Ends the call that hangs, and gives back how many cancellations came. */
  readonly finish: (agent: Agent) => Promise<number>;
}

describe('a cancelled call', { timeout: 60_000 }, () => {
  const started = new AsyncDisposableStack();
  const servers = new Map<string, Told>();
  let gateway: Gateway;

  before(async () => {
    servers.set('modern-http', await modernHttp(started));
    servers.set('legacy-http', await legacyHttp(started));
    for (const era of ['modern', 'legacy'] as const) servers.set(`${era}-stdio`, overPipe(era));
    const settings = Object.fromEntries([...servers].map(([name, told]) => [name, told.settings]));
    gateway = started.adopt(await startGateway({ servers: settings }), (one) => one.close());
  });
  after(() => started.disposeAsync());

  for (const server of ['modern-http', 'legacy-http', 'modern-stdio', 'legacy-stdio']) {
    test(`of a modern agent that closes its response is cancelled at ${server}`, async () => {
      const agent = await openAgent(gateway, server, 'modern');
      const call = await agent.hang();
      call.hangUp();
      await within(servers.get(server)!.cancelled(agent));
    });

    test(`of a legacy agent that sends a notification is cancelled at ${server}`, async () => {
      const agent = await openAgent(gateway, server, 'legacy');
      const call = await agent.hang();
      const { status } = await agent.post({ method: 'notifications/cancelled', params: { requestId: call.id } });
      assert.equal(status, 202);
      await within(servers.get(server)!.cancelled(agent));
      assert.doesNotMatch(await call.rest(), /finished/);
    });

    test(`of a legacy agent goes on at ${server} when only the connection is lost, and its answer can be fetched`, async () => {
      const agent = await openAgent(gateway, server, 'legacy');
      const call = await agent.hang();
      call.hangUp();
      await (await agent.post({ id: 99, method: 'ping' })).text();
      const before = await servers.get(server)!.finish(agent);
      assert.equal(before, 0);
      assert.match(await agent.resumed(call.lastEventId()), /finished/);
    });
  }
});

/** A gateway that does not pass a cancellation on within a second has not passed it on. */
async function within(told: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('the server was not told within a second')), 1000);
  await Promise.race([told, promise]).finally(() => clearTimeout(timer));
}

// ---- servers ---------------------------------------------------------------------------------------------------

const hangs = ({ body }: Hit) => (body['params'] as { name?: string } | undefined)?.name === 'hang';
const isCancel = ({ body }: Hit) => body['method'] === 'notifications/cancelled';
const text = (words: string) => JSON.stringify({ resultType: 'complete', content: [{ type: 'text', text: words }] });

/** Says one event of progress and goes on. */
function begin(hit: Hit): void {
  const { _meta } = hit.body['params'] as { _meta?: { progressToken?: string | number } };
  events(hit);
  event(hit, {
    jsonrpc: '2.0',
    method: 'notifications/progress',
    params: { progressToken: _meta?.progressToken ?? null, progress: 1 },
  });
}

function end({ res, body }: Hit): void {
  res.end(`data: {"jsonrpc":"2.0","id":${JSON.stringify(body['id'])},"result":${text('finished')}}\n\n`);
}

async function modernHttp(stack: AsyncDisposableStack): Promise<Told> {
  const server = stack.adopt(await scripted(answer), (one) => one.close());
  let closed = 0;
  function answer(hit: Hit): void {
    const { method } = hit.body;
    if (method === 'server/discover') return result(hit, JSON.stringify(DISCOVER));
    if (method === 'tools/list') return result(hit, JSON.stringify(TOOLS));
    begin(hit);
    hit.res.once('close', () => void (hit.res.writableEnded || (closed += 1)));
  }
  return {
    settings: { url: server.url },
    cancelled: async () => {
      const { res } = lastHanging(server);
      if (!res.closed) await once(res, 'close');
      assert.equal(res.writableEnded, false);
      closed = 0;
    },
    finish: async () => {
      end(lastHanging(server));
      return closed;
    },
  };
}

async function legacyHttp(stack: AsyncDisposableStack): Promise<Told> {
  const { answer } = legacy({
    call: (hit) => {
      if (hit.body['method'] === 'tools/list') result(hit, JSON.stringify(TOOLS));
      else begin(hit);
    },
  });
  const server = stack.adopt(await scripted(answer), (one) => one.close());
  return {
    settings: { url: server.url },
    cancelled: async () => {
      const { id } = lastHanging(server).body;
      const named = ({ body }: Hit) => (body['params'] as { requestId?: unknown } | undefined)?.requestId === id;
      await server.next((hit) => isCancel(hit) && named(hit));
      server.hits.splice(0);
    },
    finish: async () => {
      end(lastHanging(server));
      return server.hits.filter(isCancel).length;
    },
  };
}

function lastHanging({ hits }: Scripted): Hit {
  return hits.findLast(hangs)!;
}

function overPipe(era: Era): Told {
  return {
    settings: { command: process.execPath, args: [STDIO, era], isolation: 'session' },
    cancelled: async (agent) => {
      const { hung, cancelled } = JSON.parse(await agent.call('seen')) as { hung: unknown[]; cancelled: unknown[] };
      assert.equal(cancelled.at(-1), hung.at(-1));
    },
    finish: async (agent) => (JSON.parse(await agent.call('finish')) as { cancelled: unknown[] }).cancelled.length,
  };
}

// ---- agents ----------------------------------------------------------------------------------------------------

interface Hanging {
  readonly id: number;
  hangUp(): void;
  /** Everything that still comes on its response. */
  rest(): Promise<string>;
  lastEventId(): string;
}

interface Agent {
  /** A call that its server has begun. */
  hang(): Promise<Hanging>;
  /** The text that a tool answers. */
  call(name: string): Promise<string>;
  post(message: object, signal?: AbortSignal): Promise<Response>;
  /** What a new stream brings after this event, up to an answer. */
  resumed(lastEventId: string): Promise<string>;
}

async function openAgent({ url, token }: Gateway, server: string, era: Era): Promise<Agent> {
  const endpoint = `${url}/mcp/${server}`;
  let session: string | undefined;
  let last = 0;

  const post = (message: object, signal?: AbortSignal) =>
    fetch(endpoint, {
      method: 'POST',
      headers: headersOf(message, era, token, session),
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      ...(signal && { signal }),
    });
  const request = (method: string, params: object, signal?: AbortSignal) =>
    post({ id: ++last, method, params: era === 'modern' ? enveloped(params) : params }, signal);

  if (era === 'legacy') {
    const params = { protocolVersion: VERSION.legacy, capabilities: {}, clientInfo: { name: 'agent', version: '1' } };
    const response = await request('initialize', params);
    session = response.headers.get('mcp-session-id')!;
    await response.text();
    await (await post({ method: 'notifications/initialized' })).text();
  }
  await (await request('tools/list', {})).text();

  return {
    post,
    call: async (name) => answerIn(await (await request('tools/call', { name, arguments: {} })).text()),
    hang: async () => {
      const gone = new AbortController();
      const params = { name: 'hang', arguments: {}, _meta: { progressToken: TOKEN } };
      const reader = readerOf(await request('tools/call', params, gone.signal));
      const heard = await reader.until(/"progressToken":"agent-token"/);
      return {
        id: last,
        hangUp: () => gone.abort(),
        rest: () => reader.until(undefined),
        lastEventId: () => idIn(heard),
      };
    },
    resumed: async (lastEventId) => {
      const headers = {
        ...headersOf({}, era, token, session),
        accept: 'text/event-stream',
        'last-event-id': lastEventId,
      };
      const reader = readerOf(await fetch(endpoint, { headers }));
      return reader.until(/"result":/);
    },
  };
}

function enveloped(params: object): object {
  const { _meta } = params as { _meta?: object };
  return {
    ...params,
    _meta: {
      'io.modelcontextprotocol/protocolVersion': VERSION.modern,
      'io.modelcontextprotocol/clientCapabilities': {},
      'io.modelcontextprotocol/clientInfo': { name: 'agent', version: '1' },
      ..._meta,
    },
  };
}

function headersOf(message: object, era: Era, token: string, session: string | undefined): Record<string, string> {
  const { method, params } = message as { method?: string; params?: { name?: string } };
  return {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(method === 'initialize' ? {} : { 'mcp-protocol-version': VERSION[era] }),
    ...(session === undefined ? {} : { 'mcp-session-id': session }),
    ...(era === 'modern' && method !== undefined ? { 'mcp-method': method } : {}),
    ...(era === 'modern' && params?.name !== undefined ? { 'mcp-name': params.name } : {}),
  };
}

interface TextReader {
  /** Reads on until it stands there, or to the end. */
  until(pattern: RegExp | undefined): Promise<string>;
}

function readerOf({ body }: Response): TextReader {
  const input = body!.pipeThrough(new TextDecoderStream()).getReader();
  return {
    until: async (pattern) => {
      for (let heard = ''; ;) {
        const { done, value = '' } = await input.read();
        heard += value;
        if (done || pattern?.test(heard)) return heard;
      }
    },
  };
}

function idIn(stream: string): string {
  return [...stream.matchAll(/^id: ?(.*)$/gm)].at(-1)![1]!;
}

function answerIn(stream: string): string {
  const data = [...stream.matchAll(/^data: ?(\{.*)$/gm)].at(-1)?.[1] ?? stream;
  return (JSON.parse(data) as { result: { content: { text: string }[] } }).result.content[0]!.text;
}
