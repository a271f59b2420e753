/** What an agent sees of servers that fail, and that their failure is nobody else's. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startFaultyHttp } from './fixtures/faulty/http.ts';
import type { FaultyHttp } from './fixtures/faulty/http.ts';
import { startGateway } from './gateway.ts';
import type { Gateway } from './gateway.ts';
import { openRaw } from './real/raw.ts';
import type { Json, Message, Raw } from './real/raw.ts';

const SCRIPT = fileURLToPath(new URL('fixtures/faulty/stdio.ts', import.meta.url));
const DEADLINE_MS = 1_500;
/** How long a call of a healthy server may take while another one fails, on a busy machine. */
const BOUND_MS = 500;

const REFUSALS = {
  lost: { code: -32603, message: /went away before it answered/ },
  late: { code: -32603, message: /did not answer in time/ },
  garbage: { code: -32603, message: /not MCP/ },
  unreachable: { code: -32603, message: /cannot be reached/ },
  large: { code: -32603, message: /larger than this gateway passes on/ },
} as const;

describe('a server that fails', { timeout: 60_000 }, () => {
  let gateway: Gateway;
  let upstream: FaultyHttp;
  const agents = new Map<string, Raw>();
  const started = new AsyncDisposableStack();

  before(async () => {
    upstream = started.adopt(await startFaultyHttp(), (one) => one.stop());
    const gone = await startFaultyHttp();
    await gone.stop();
    const running = await startGateway({
      message: { size: '256KiB' },
      servers: {
        stdio: scripted(),
        steady: scripted(),
        slow: { ...scripted('--after', '700'), deadline: '10s' },
        refusing: scripted('--refuse'),
        absent: { command: 'no-such-program-anywhere', deadline: `${DEADLINE_MS}ms` },
        http: { url: upstream.url, deadline: `${DEADLINE_MS}ms` },
        gone: { url: gone.url, deadline: `${DEADLINE_MS}ms` },
      },
    });
    gateway = started.adopt(running, (one) => one.close());
    await call('steady', 'echo');
  });
  after(() => started.disposeAsync());

  test('is said to have gone away when it dies in the middle of a call, and the next call finds a new process', async () => {
    const before = await call('stdio', 'echo');
    await refusedWithin('stdio', 'crash', REFUSALS.lost);
    const healed = await call('stdio', 'echo');
    assert.notEqual(processOf(healed), processOf(before));
  });

  test('is said to be late when it hangs, and stays in use', async () => {
    const before = await call('stdio', 'echo');
    await refusedWithin('stdio', 'hang', REFUSALS.late);
    assert.equal(processOf(await call('stdio', 'echo')), processOf(before));
  });

  test('does not answer with half a message', async () => {
    await refusedWithin('stdio', 'break', REFUSALS.garbage, REFUSALS.late);
    await answers('stdio');
  });

  test('does not answer with two results in one', async () => {
    await refusedWithin('stdio', 'double', REFUSALS.garbage, REFUSALS.late);
    await answers('stdio');
  });

  test('does not answer with a result that is no object', async () => {
    await refusedWithin('stdio', 'mistype', REFUSALS.garbage);
    await answers('stdio');
  });

  test('is refused an answer beyond the size of a message, and the next one passes', async () => {
    for (const server of ['stdio', 'http']) {
      await refusedWithin(server, 'flood', { bytes: 400_000 }, REFUSALS.large);
      assert.match(textOf(await call(server, 'flood', { bytes: 200_000 })), /x{200000}$/);
    }
  });

  test('may write log lines between its answers', async () => {
    assert.match(textOf(await call('stdio', 'chatter', { text: 'still here' })), /still here$/);
  });

  test('may take its time to start', async () => {
    assert.match(textOf(await unharmed(call('slow', 'echo', { text: 'at last' }))), /at last$/);
  });

  test('is said to be out of reach when it refuses to start, does not exist or does not listen', async () => {
    for (const server of ['refusing', 'absent', 'gone']) await refusedWithin(server, 'echo', REFUSALS.unreachable);
  });

  test('gets a new session when it forgot the old one, and the agent sees nothing of it', async () => {
    await answers('http');
    const sessions = upstream.sessions();
    upstream.forget();
    await answers('http');
    assert.equal(upstream.sessions(), sessions + 1);
  });

  test('is out of reach while it restarts, and back without any help', async () => {
    await answers('http');
    await upstream.stop();
    await refusedWithin('http', 'echo', REFUSALS.unreachable, REFUSALS.lost);
    await upstream.startAgain();
    await answers('http');
  });

  test('is judged over HTTP as over a pipe', async () => {
    await refusedWithin('http', 'hang', REFUSALS.late);
    await refusedWithin('http', 'crash', REFUSALS.lost);
    await refusedWithin('http', 'break', REFUSALS.garbage);
    await answers('http');
  });

  /** The refusal comes within the deadline, and meanwhile another server answers as ever. */
  async function refusedWithin(server: string, tool: string, ...rest: (Message | Refusal)[]): Promise<void> {
    const wanted = rest.filter(isRefusal);
    const args = rest.find((one) => !isRefusal(one)) ?? {};
    const start = performance.now();
    const { error } = (await unharmed(call(server, tool, args as Message))) as {
      error?: { code: number; message: string };
    };
    const took = performance.now() - start;
    assert.ok(error, `${server} ${tool} was answered`);
    assert.ok(
      wanted.some(({ code, message }) => error.code === code && message.test(error.message)),
      `${server} ${tool}: ${JSON.stringify(error)}`,
    );
    assert.ok(took < DEADLINE_MS + BOUND_MS, `${server} ${tool} took ${took} ms`);
  }

  async function answers(server: string): Promise<void> {
    assert.match(textOf(await unharmed(call(server, 'echo', { text: 'here' }))), /here$/);
  }

  /** Calls the steady server as long as `trouble` lasts. */
  async function unharmed<T>(trouble: Promise<T>): Promise<T> {
    const state = { over: false };
    const ended = trouble.finally(() => (state.over = true));
    const took: number[] = [];
    do {
      const start = performance.now();
      assert.match(textOf(await call('steady', 'echo', { text: 'steady' })), /steady$/);
      took.push(performance.now() - start);
    } while (!state.over);
    assert.ok(Math.max(...took) < BOUND_MS, `steady calls took ${took.map(Math.round).join(', ')} ms`);
    return ended;
  }

  let lastId = 0;

  async function call(server: string, name: string, args: Message = {}): Promise<Message> {
    const agent = agents.get(server) ?? (await agentOf(server));
    lastId += 1;
    return (await agent.request(lastId, 'tools/call', { name, arguments: args })).message;
  }

  async function agentOf(server: string): Promise<Raw> {
    const agent = await openRaw({ kind: 'http', url: `${gateway.url}/mcp/${server}`, token: gateway.token }, 'legacy');
    agents.set(
      server,
      started.adopt(agent, (one) => one.close()),
    );
    return agent;
  }
});

type Refusal = (typeof REFUSALS)[keyof typeof REFUSALS];

function isRefusal(one: Message | Refusal): one is Refusal {
  return one['message'] instanceof RegExp;
}

function scripted(...args: string[]): object {
  return { command: process.execPath, args: [SCRIPT, ...args], deadline: `${DEADLINE_MS}ms` };
}

function textOf(answer: Message): string {
  const { result } = answer as { result?: { content: { text: string }[] } };
  assert.ok(result, JSON.stringify(answer));
  return result.content[0]!.text;
}

function processOf(answer: Message): Json {
  return textOf(answer).split(':')[0]!;
}
