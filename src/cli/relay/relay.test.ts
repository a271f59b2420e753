import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ask, notification, result } from '../../../test/fixtures/agent-edge.ts';
import { agentSide, answering, scripted } from '../../../test/fixtures/agent-side.ts';
import type { Side, SideSettings } from '../../../test/fixtures/agent-side.ts';
import type { JsonObject } from '../../gateway/document.ts';
import type { Message } from '../../gateway/exchange.ts';
import type { Arrival, Outlet } from '../../gateway/ports.ts';
import { deny } from '../../gateway/verdict.ts';
import type { Deny } from '../../gateway/verdict.ts';
import { relay } from './relay.ts';

const NOW = '2026-07-28';
const META = {
  'io.modelcontextprotocol/protocolVersion': NOW,
  'io.modelcontextprotocol/clientCapabilities': {},
};
const HELLO = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: { elicitation: {} }, clientInfo: { name: 'c', version: '1' } },
};

let data = '';
let side: Side | undefined;
let agents: Agent[] = [];

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'sallyport-'));
  writeFileSync(join(data, 'token'), 'owner-token\n');
});

afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.close();
  await side?.close();
  side = undefined;
  rmSync(data, { recursive: true });
});

const socket = (): string => join(data, 'gateway.sock');

async function gateway(settings: SideSettings = {}): Promise<Side> {
  side = await agentSide({ ...settings, bind: [{ kind: 'socket', path: socket() }] });
  return side;
}

/** Every request that reaches the gateway. */
function watched({ core }: Side): Arrival[] {
  const arrivals: Arrival[] = [];
  const handle = core.handle.bind(core);
  core.handle = (arrival, reply) => {
    arrivals.push(arrival);
    return handle(arrival, reply);
  };
  return arrivals;
}

class Agent {
  readonly #input = new PassThrough();
  readonly #lines: string[] = [];
  #wake: () => void = () => undefined;
  readonly over: Promise<void>;

  constructor(ensure: () => Promise<void> = () => Promise.reject(new Error('nobody starts one here'))) {
    const output = new PassThrough();
    let rest = '';
    output.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop()!;
      this.#lines.push(...lines);
      this.#wake();
    });
    const token = join(data, 'token');
    this.over = relay({ server: undefined, data, socket: socket(), token, input: this.#input, output, ensure });
    agents.push(this);
  }

  send(message: object | string): void {
    this.#input.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  }

  async next(): Promise<JsonObject> {
    return JSON.parse(await this.nextText()) as JsonObject;
  }

  async nextText(): Promise<string> {
    while (this.#lines.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#lines.shift()!;
  }

  get unread(): number {
    return this.#lines.length;
  }

  async initialize(): Promise<JsonObject> {
    this.send(HELLO);
    const answer = await this.next();
    this.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    return answer;
  }

  async close(): Promise<void> {
    this.#input.end();
    await this.over;
  }
}

function request(method: string, id: unknown = 1, params: object = {}): object {
  return { jsonrpc: '2.0', id, method, params };
}

function modern(method: string, id: unknown = 1, params: object = {}): object {
  return request(method, id, { ...params, _meta: META });
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

describe('the relay tells the agent', () => {
  it('what is wrong with a line', async () => {
    await gateway();
    const agent = new Agent();
    agent.send('{"jsonrpc":');
    assert.equal(((await agent.next())['error'] as JsonObject)['code'], -32700);
    agent.send('[]');
    assert.equal(((await agent.next())['error'] as JsonObject)['code'], -32600);
  });

  it('why no gateway can be started, for every request of both eras', async () => {
    const agent = new Agent();
    agent.send(modern('tools/list', 'a'));
    assert.deepEqual(await agent.next(), {
      jsonrpc: '2.0',
      id: 'a',
      error: { code: -32603, message: 'nobody starts one here' },
    });
    agent.send(HELLO);
    assert.deepEqual(await agent.next(), {
      jsonrpc: '2.0',
      id: 0,
      error: { code: -32603, message: 'nobody starts one here' },
    });
  });

  it('refusals of the gateway under the id of the request', async () => {
    const { core } = await gateway();
    core.handle = (_arrival, reply) => {
      reply.refuse(
        { effect: 'deny', reason: 'unauthenticated', rules: [], detail: undefined, data: undefined, tell: undefined },
        undefined,
        'modern',
      );
      return { crossed: undefined, cancel() {} };
    };
    const agent = new Agent();
    agent.send(modern('tools/list', 'a'));
    const answer = await agent.next();
    assert.deepEqual([answer['id'], (answer['error'] as JsonObject)['code']], ['a', 401]);
  });

  it('that an answer was lost with the gateway, and does not send the call again', async () => {
    const held = scripted(
      (_exchange, outlet) => void outlet.event(notification('notifications/message', { level: 'info', data: 'x' })),
    );
    const { listener } = await gateway({ answers: { 'tools/call': held } });
    const agent = new Agent();
    agent.send(modern('tools/call', 1, { name: 't', arguments: {} }));
    await agent.next();
    await listener.close();
    const { error } = (await agent.next()) as { error: { message: string } };
    assert.match(error.message, /Whether the request took effect is unknown|aborted/);
  });
});

describe('the relay for stateless agents', () => {
  it('mirrors method, name and parameters of the last listed schema, and calls with the token of the owner', async () => {
    const inputSchema = { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } };
    const answers = {
      'tools/list': answering({ tools: [{ name: 'tëst', inputSchema }] }),
      'tools/call': answering({ content: [] }),
    };
    const arrivals = watched(await gateway({ answers }));
    const agent = new Agent();
    agent.send(modern('tools/list'));
    await agent.next();
    agent.send(modern('tools/call', 12, { name: 'tëst', arguments: { region: 'eu' } }));
    assert.deepEqual(await agent.next(), { jsonrpc: '2.0', id: 12, result: { content: [], resultType: 'complete' } });
    const call = arrivals.at(-1)!;
    const names = [
      'mcp-protocol-version',
      'mcp-method',
      'mcp-name',
      'mcp-param-region',
      'authorization',
      'mcp-session-id',
    ];
    assert.deepEqual(
      names.map((name) => call.header(name)),
      [NOW, 'tools/call', '=?base64?dMOrc3Q=?=', 'eu', 'Bearer owner-token', undefined],
    );
  });

  it('lists by itself, once, when a tool mirrors what was never listed', async () => {
    const inputSchema = { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } };
    const list = answering({ tools: [{ name: 't', inputSchema }] });
    const edge = await gateway({ answers: { 'tools/list': list, 'tools/call': answering({ content: [] }) } });
    const handle = edge.core.handle.bind(edge.core);
    const seen: (string | undefined)[] = [];
    edge.core.handle = (arrival, reply) => {
      seen.push(arrival.header('mcp-method'));
      if (arrival.header('mcp-method') === 'tools/list' || arrival.header('mcp-param-region'))
        return handle(arrival, reply);
      reply.refuse(deny('header_mismatch'), '1', 'modern');
      return { crossed: undefined, cancel() {} };
    };
    const agent = new Agent();
    agent.send(modern('tools/call', 1, { name: 't', arguments: { region: 'eu' } }));
    assert.equal((await agent.next())['error'], undefined);
    agent.send(modern('tools/call', 1, { name: 'unlisted', arguments: {} }));
    assert.equal(((await agent.next())['error'] as JsonObject)['code'], -32020);
    const round = ['tools/call', 'tools/list', 'tools/call'];
    assert.deepEqual(seen, [...round, ...round]);
  });

  it('passes events in order before the answer, ids untouched', async () => {
    const working = scripted((_exchange, outlet) => {
      for (const step of [1, 2])
        void outlet.event(notification('notifications/progress', { progressToken: 'ours', progress: step }));
      outlet.close(result('tools/call', { content: [] }));
    });
    await gateway({ answers: { 'tools/call': working } });
    const agent = new Agent();
    const meta = JSON.stringify({ ...META, progressToken: 7 });
    agent.send(
      `{"jsonrpc":"2.0","id":98765432109876543210,"method":"tools/call","params":{"name":"t","_meta":${meta}}}`,
    );
    const lines = [await agent.next(), await agent.next()];
    assert.deepEqual(
      lines.map((line) => line['params']),
      [
        { progressToken: 7, progress: 1 },
        { progressToken: 7, progress: 2 },
      ],
    );
    assert.match(await agent.nextText(), /"id":98765432109876543210,/);
  });

  it('turns a cancellation into the end of that request, and writes nothing more of it', async () => {
    const { core } = await gateway({
      answers: { 'tools/call': scripted(() => undefined), 'tools/list': answering({ tools: [] }) },
    });
    const agent = new Agent();
    agent.send(modern('tools/call', 5, { name: 't', arguments: {} }));
    await until(() => core.open.size === 1);
    agent.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 5 } });
    await until(() => core.cancelled.length === 1);
    assert.deepEqual(core.cancelled, ['agent_gone']);
    agent.send(modern('tools/list', 6));
    assert.equal((await agent.next())['id'], 6);
    assert.equal(agent.unread, 0);
  });
});

describe('the relay for agents with a session', () => {
  it('keeps the session for them: handshake, calls, asks, news, and its end', async () => {
    const answers: (Message | Deny)[] = [];
    const asking = scripted((_exchange, outlet) =>
      outlet.ask(ask('elicitation/create', { message: 'Name?' }), (answer) => {
        answers.push(answer);
        outlet.close(result('tools/call', { content: [] }));
      }),
    );
    const { attached, sessions } = await gateway({ answers: { 'tools/call': asking } });
    const agent = new Agent();
    assert.equal(((await agent.initialize())['result'] as JsonObject)['protocolVersion'], '2025-11-25');
    agent.send(request('tools/call', 1, { name: 't' }));
    const asked = await agent.next();
    assert.equal(asked['method'], 'elicitation/create');
    agent.send({ jsonrpc: '2.0', id: asked['id'], result: { action: 'decline' } });
    assert.equal((await agent.next())['id'], 1);
    assert.equal(answers.length, 1);
    void attached[0]?.outlet.event(notification('notifications/tools/list_changed'));
    assert.equal((await agent.next())['method'], 'notifications/tools/list_changed');
    await agent.close();
    await until(() => sessions.size === 0);
  });

  it('begins another when the gateway forgot it, and goes on as if nothing had been', async () => {
    const { core, sessions, attached } = await gateway({ answers: { 'tools/list': answering({ tools: [] }) } });
    const agent = new Agent();
    await agent.initialize();
    agent.send(request('tools/list', 1));
    await agent.next();
    for (const { exchange } of core.open.values()) sessions.end(exchange.session!);
    for (const id of [2, 3]) agent.send(request('tools/list', id));
    assert.deepEqual(new Set([(await agent.next())['id'], (await agent.next())['id']]), new Set([2, 3]));
    assert.equal(sessions.size, 1);
    void attached.at(-1)?.outlet.event(notification('notifications/tools/list_changed'));
    assert.equal((await agent.next())['method'], 'notifications/tools/list_changed');
  });

  it('resumes a stream that broke', async () => {
    const given: Outlet[] = [];
    const edge = await gateway({
      answers: { 'tools/call': scripted((_exchange, outlet) => void given.push(outlet)) },
      sessions: { events: { events: 10, bytes: 1e6, retry: 5 } },
    });
    const agent = new Agent();
    await agent.initialize();
    agent.send(request('tools/call', 1, { name: 't' }));
    await until(() => given.length === 1);
    void given[0]?.event(notification('notifications/message', { level: 'info', data: 'one' }));
    await agent.next();
    await edge.reopen();
    void given[0]?.event(notification('notifications/message', { level: 'info', data: 'two' }));
    given[0]?.close(result('tools/call', { content: [] }));
    assert.deepEqual((await agent.next())['params'], { level: 'info', data: 'two' });
    assert.equal((await agent.next())['id'], 1);
  });

  it('passes a cancellation on as a message', async () => {
    const { core } = await gateway({ answers: { 'tools/call': scripted(() => undefined) } });
    const agent = new Agent();
    await agent.initialize();
    agent.send(request('tools/call', 5, { name: 't' }));
    await until(() => core.open.size === 2);
    agent.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 5 } });
    await until(() => core.cancelled.length === 1);
    assert.deepEqual(core.cancelled, ['agent_cancelled']);
  });
});

describe('while the gateway starts', () => {
  const DISCOVERED = { supportedVersions: [NOW], capabilities: { tools: {} }, instructions: 'Be kind.' };

  it('discovery is answered at once from memory, and what follows waits for the gateway, of either era', async () => {
    await gateway({ answers: { 'server/discover': answering(DISCOVERED) } });
    const first = new Agent();
    first.send(modern('server/discover', 1));
    await first.next();
    await until(() => readFileSync(join(data, 'discover', 'joint.json'), 'utf8').length > 0);
    await first.close();
    await side?.close();

    const up = Promise.withResolvers<void>();
    const agent = new Agent(() => up.promise);
    const asked = performance.now();
    agent.send(modern('server/discover', 'd'));
    const answer = await agent.next();
    assert.ok(performance.now() - asked < 150);
    assert.equal(answer['id'], 'd');
    const told = answer['result'] as JsonObject;
    assert.deepEqual([told['instructions'], told['ttlMs'], told['cacheScope']], ['Be kind.', 0, 'private']);
    agent.send(HELLO);
    agent.send(modern('tools/list', 'l'));
    await gateway({ answers: { 'tools/list': answering({ tools: [] }) } });
    up.resolve();
    const ids = new Set([(await agent.next())['id'], (await agent.next())['id']]);
    assert.deepEqual(ids, new Set([0, 'l']));
  });

  it('discovery claims no more than is sure when nothing is remembered', async () => {
    const agent = new Agent();
    agent.send(modern('server/discover', 'd'));
    const { result: told } = (await agent.next()) as { result: JsonObject };
    assert.deepEqual(told['supportedVersions'], [NOW]);
    assert.deepEqual(told['ttlMs'], 0);
  });
});
