/**
 * Stock clients of one era work with real servers of the other: elicitation, sampling and roots included, the clients
 * unmodified and with their default settings.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernHttp } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { stringify } from 'yaml';
import { startFixture, stdioCommand } from './conformance/fixture.ts';
import { startGateway } from './gateway.ts';
import type { Gateway } from './gateway.ts';
import { printedLine, start } from './real/child.ts';
import { REAL_CLIENTS } from './real/clients.ts';
import { makeScratch } from './real/scratch.ts';
import { realServers } from './real/servers.ts';

const INFO = { name: 'stock', version: '1.0.0' };
const OFFERED = { roots: {}, sampling: {}, elicitation: {} };
const ROOTS = { roots: [{ uri: 'file:///home/ada', name: 'Home' }] };
const SAMPLED = { role: 'assistant', model: 'none', content: { type: 'text', text: 'Paris, as ever' } } as const;
const WATCHED = 'test://watched-resource';
const FORM = { action: 'accept', content: { name: 'Ada', color: 'blue', ok: true } } as const;

/** Whichever way a client makes it. */
interface Answer {
  readonly content?: unknown;
}

const textOf = ({ content }: Answer): string =>
  (content as readonly { text?: string }[]).map(({ text = '' }) => text).join('\n');

describe('a client of one era at a server of the other', { timeout: 120_000 }, () => {
  const started = new AsyncDisposableStack();
  let gateway: Gateway;

  before(async () => {
    const scratch = started.adopt(await makeScratch(), (one) => one.close());
    const settings = async (name: string): Promise<object> => {
      const server = realServers(scratch.path).find((one) => one.name === name)!;
      return started.adopt(await server.serve(), (one) => one.close()).settings;
    };
    const fixture = async (era: 'legacy' | 'modern') => ({
      url: started.adopt(await startFixture(era), (one) => one.close()).url,
    });
    const servers = {
      'everything-stdio': await settings('everything'),
      'everything-http': await settings('everything-streamable-http'),
      'dbhub-http': { ...(await settings('dbhub-http')), era: 'modern' },
      'legacy-http': await fixture('legacy'),
      'legacy-stdio': stdioCommand('legacy'),
      'modern-http': await fixture('modern'),
      'modern-stdio': stdioCommand('modern'),
    };
    gateway = started.adopt(await startGateway({ servers }), (one) => one.close());
  });
  after(() => started.disposeAsync());

  const place = (server: string) => ({
    url: new URL(`${gateway.url}/mcp/${server}`),
    init: { requestInit: { headers: { authorization: `Bearer ${gateway.token}` } } },
  });

  /** SDK v2 that speaks 2026-07-28 and nothing else. */
  async function modern(server: string, stack: AsyncDisposableStack): Promise<ModernClient> {
    const client = new ModernClient(INFO, {
      versionNegotiation: { mode: { pin: '2026-07-28' } },
      capabilities: OFFERED,
    });
    client.setRequestHandler('elicitation/create', () => FORM);
    client.setRequestHandler('sampling/createMessage', () => SAMPLED);
    client.setRequestHandler('roots/list', () => ROOTS);
    const { url, init } = place(server);
    await client.connect(new ModernHttp(url, init));
    stack.defer(() => client.close());
    return client;
  }

  /** SDK v1, which never heard of 2026-07-28. */
  async function legacy(server: string, stack: AsyncDisposableStack): Promise<LegacyClient> {
    const client = new LegacyClient(INFO, { capabilities: OFFERED });
    client.setRequestHandler(ElicitRequestSchema, () => FORM);
    client.setRequestHandler(CreateMessageRequestSchema, () => SAMPLED);
    client.setRequestHandler(ListRootsRequestSchema, () => ROOTS);
    const { url, init } = place(server);
    await client.connect(new LegacyHttp(url, init) as Transport);
    stack.defer(() => client.close());
    return client;
  }

  // ---- modern clients at legacy servers ------------------------------------------------------------------------

  for (const server of ['everything-stdio', 'everything-http']) {
    test(`SDK v2, pinned to 2026-07-28, answers what ${server} asks: a form, a model, its roots`, async () => {
      await using stack = new AsyncDisposableStack();
      const client = await modern(server, stack);
      const names = (await client.listTools()).tools.map(({ name }) => name);
      assert.ok(names.includes('trigger-elicitation-request'), names.join(' '));
      const elicited = await client.callTool({ name: 'trigger-elicitation-request', arguments: {} });
      assert.match(textOf(elicited), /Ada/);
      const asked = { name: 'trigger-sampling-request', arguments: { prompt: 'Capital?', maxTokens: 5 } };
      assert.match(textOf(await client.callTool(asked)), /Paris, as ever/);
      const rooted = await client.callTool({ name: 'get-roots-list', arguments: {} });
      assert.match(textOf(rooted), /file:\/\/\/home\/ada/);
    });

    test(`SDK v2, pinned to 2026-07-28, sees the progress of ${server} and can cancel it`, async () => {
      await using stack = new AsyncDisposableStack();
      const client = await modern(server, stack);
      await client.listTools();
      const long = (duration: number) => ({
        name: 'trigger-long-running-operation',
        arguments: { duration, steps: 2 },
      });
      const seen: number[] = [];
      const answer = await client.callTool(long(0.2), { onprogress: ({ progress }) => void seen.push(progress) });
      assert.match(textOf(answer), /completed/);
      assert.deepEqual(seen, [1, 2]);
      const gone = new AbortController();
      const cancelled = client.callTool(long(60), { signal: gone.signal, onprogress: () => undefined });
      setTimeout(() => gone.abort(), 50);
      await assert.rejects(cancelled);
      assert.match(textOf(await client.callTool({ name: 'echo', arguments: { message: 'still here' } })), /still here/);
    });

    test(`SDK v2, pinned to 2026-07-28, listens to a resource of ${server} that knows subscriptions only`, async () => {
      await using stack = new AsyncDisposableStack();
      const client = await modern(server, stack);
      const uri = 'demo://resource/dynamic/text/1';
      const updated = Promise.withResolvers<string>();
      client.setNotificationHandler('notifications/resources/updated', ({ params }) => updated.resolve(params.uri));
      await client.listResources();
      const listening = await client.listen({ resourceSubscriptions: [uri] });
      stack.defer(() => listening.close());
      await client.callTool({ name: 'toggle-subscriber-updates', arguments: {} });
      assert.equal(await updated.promise, uri);
    });
  }

  for (const server of ['legacy-http', 'legacy-stdio']) {
    test(`SDK v2, pinned to 2026-07-28, hears the logs of ${server} that it asked for, and no others`, async () => {
      await using stack = new AsyncDisposableStack();
      const client = await modern(server, stack);
      const heard: unknown[] = [];
      client.setNotificationHandler('notifications/message', ({ params }) => void heard.push(params.level));
      await client.callTool({ name: 'test_logging_tool', arguments: {} });
      assert.deepEqual(heard, []);
      const wanting = (level: string) => ({ _meta: { 'io.modelcontextprotocol/logLevel': level } });
      await client.callTool({ name: 'test_logging_tool', arguments: {}, ...wanting('error') });
      assert.deepEqual(heard, []);
      await client.callTool({ name: 'test_logging_tool', arguments: {}, ...wanting('info') });
      assert.deepEqual(heard, ['info']);
    });

    test(`SDK v2, pinned to 2026-07-28, answers several questions of ${server}, at once and one after the other`, async () => {
      await using stack = new AsyncDisposableStack();
      const client = await modern(server, stack);
      const call = async (name: string) => textOf(await client.callTool({ name, arguments: {} }));
      assert.match(await call('test_input_required_result_multiple_inputs'), /Paris, as ever/);
      assert.doesNotMatch(await call('test_input_required_result_multi_round'), /undefined/);
      const prompt = await client.getPrompt({ name: 'test_input_required_result_prompt' });
      assert.ok(prompt.messages.length > 0);
    });
  }

  for (const client of REAL_CLIENTS.filter(({ era }) => era === 'modern')) {
    for (const server of ['everything-stdio', 'everything-http']) {
      test(`${client.name} lists and calls the tools of ${server}`, async () => {
        await using stack = new AsyncDisposableStack();
        const { url } = place(server);
        const session = stack.adopt(await client.open(url.href, gateway.token), (one) => one.close());
        assert.ok((await session.list()).length > 5);
        assert.match(textOf(await session.call('echo', { message: 'across' })), /across/);
      });
    }
  }

  // ---- legacy clients at modern servers ------------------------------------------------------------------------

  for (const server of ['modern-http', 'modern-stdio']) {
    test(`SDK v1 answers what ${server} asks within its results, round after round`, async () => {
      await using stack = new AsyncDisposableStack();
      const client = await legacy(server, stack);
      const call = async (name: string) => textOf((await client.callTool({ name, arguments: {} })) as Answer);
      assert.match(await call('test_input_required_result_elicitation'), /Ada/);
      assert.match(await call('test_input_required_result_sampling'), /Paris, as ever/);
      assert.match(await call('test_input_required_result_list_roots'), /file:\/\/\/home\/ada/);
      assert.match(await call('test_input_required_result_multiple_inputs'), /Paris, as ever/);
      assert.doesNotMatch(await call('test_input_required_result_multi_round'), /undefined/);
      assert.doesNotMatch(await call('test_input_required_result_request_state'), /undefined/);
      const prompt = await client.getPrompt({ name: 'test_input_required_result_prompt' });
      assert.ok(prompt.messages.length > 0);
    });

    test(`SDK v1 hears the progress and logs of ${server}, and its updates by resources/subscribe`, async () => {
      await using stack = new AsyncDisposableStack();
      const client = await legacy(server, stack);
      const logged = Promise.withResolvers<string>();
      client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => logged.resolve(params.level));
      await client.setLoggingLevel('info');
      await client.callTool({ name: 'test_logging_tool', arguments: {} });
      assert.equal(await logged.promise, 'info');
      const seen: number[] = [];
      await client.callTool({ name: 'test_tool_with_progress', arguments: {} }, undefined, {
        onprogress: ({ progress }) => void seen.push(progress),
      });
      assert.deepEqual(seen, [0, 50, 100]);
      const updated = Promise.withResolvers<string>();
      client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => updated.resolve(params.uri));
      await client.subscribeResource({ uri: WATCHED });
      await client.callTool({ name: 'test_trigger_resource_change', arguments: {} });
      assert.equal(await updated.promise, WATCHED);
    });
  }

  for (const client of REAL_CLIENTS.filter(({ era }) => era === 'legacy')) {
    test(`${client.name} works with dbhub, which is held to 2026-07-28`, async () => {
      await using stack = new AsyncDisposableStack();
      const session = stack.adopt(await client.open(place('dbhub-http').url.href, gateway.token), (one) => one.close());
      assert.ok((await session.list()).length >= 2);
      assert.match(JSON.stringify(await session.call('execute_sql', { sql: 'SELECT 1 AS one' })), /one/);
    });
  }

  test('a retry that comes after the gateway was killed and started again is told within a second', async () => {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.adopt(await makeScratch(), (one) => one.close());
    const first = await startIn(path, stack);
    const params = { name: 'test_input_required_result_elicitation', arguments: {} };
    const asked = await callRaw(first, params);
    assert.equal(asked.result?.['resultType'], 'input_required');
    process.kill(first.pid, 'SIGKILL');
    const second = await startIn(path, stack);
    const requestState = asked.result['requestState'];
    const begun = performance.now();
    const { error } = await callRaw(second, { ...params, requestState, inputResponses: { any: FORM } });
    const took = performance.now() - begun;
    assert.match(error?.message ?? '', /make the call again/);
    assert.ok(took < 1000, `${took} ms`);
  });
});

interface Started {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
}

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** A gateway whose data stays when it is killed. */
async function startIn(folder: string, stack: AsyncDisposableStack): Promise<Started> {
  const [data, file] = [join(folder, 'data'), join(folder, 'sallyport.yaml')];
  await writeFile(file, stringify({ listen: '127.0.0.1:0', data, servers: { asking: stdioCommand('legacy') } }));
  const child = stack.use(start({ command: process.execPath, args: [MAIN, 'up', '--config', file] }));
  const line = await printedLine(child, /\bready\b.*https?:/);
  const token = (await readFile(join(data, 'token'), 'utf8')).trim();
  return { url: new URL(/https?:\/\/[^\s"']+/.exec(line)![0]).origin, token, pid: child.process.pid! };
}

/** One `tools/call` of 2026-07-28 that can be asked for a form, as plain HTTP. */
async function callRaw(
  { url, token }: Started,
  params: { readonly name: string; readonly [member: string]: unknown },
): Promise<RawAnswer> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
    'io.modelcontextprotocol/clientInfo': INFO,
  };
  const response = await fetch(`${url}/mcp/asking`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': params.name,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { ...params, _meta } }),
  });
  const text = await response.text();
  return JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? text) as RawAnswer;
}

interface RawAnswer {
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}
