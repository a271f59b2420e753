/** Large messages, long lists and slow readers: all arrives, and memory stays bounded. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { setTimeout as pass } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { answered, WireAgent } from './fixtures/wire/agents.ts';
import { wireServer } from './fixtures/wire/servers.ts';
import type { Asked, Era, Transport, WireServer } from './fixtures/wire/servers.ts';
import { startGateway } from './gateway.ts';
import type { Gateway } from './gateway.ts';

const MIB = 1024 * 1024;
const TRANSPORTS: readonly Transport[] = ['http', 'stdio'];
const ERAS: readonly Era[] = ['modern', 'legacy'];
const TOOLS = 5_000;
const PAGES = 50;
/** Logs are wanted. */
const LOUD = '"io.modelcontextprotocol/logLevel":"debug"';
const TOOL = '{"name":"do","inputSchema":{"type":"object"}}';

interface Cell {
  readonly name: string;
  readonly server: WireServer;
  readonly agent: WireAgent;
}

describe('a large message', { timeout: 240_000 }, () => {
  const started = new AsyncDisposableStack();
  const cells: Cell[] = [];
  let gateway: Gateway;
  let answer: (asked: Asked) => void;

  before(async () => {
    const servers: WireServer[] = [];
    for (const transport of TRANSPORTS) {
      for (const era of ERAS) {
        const lists = { 'tools/list': () => `{"tools":[${TOOL}]}` };
        const server = await wireServer(transport, era, { lists, call: (asked) => answer(asked) });
        servers.push(started.adopt(server, (one) => one.close()));
      }
    }
    const paged = await wireServer('http', 'modern', { lists: { 'tools/list': page }, call: (asked) => answer(asked) });
    started.adopt(paged, (one) => one.close());
    const named = servers.map((server) => [`${server.transport}-${server.era}`, server.settings] as const);
    const config = { message: { size: '32MiB' }, servers: { ...Object.fromEntries(named), paged: paged.settings } };
    gateway = started.adopt(await startGateway(config), (one) => one.close());
    for (const server of servers) {
      for (const era of ERAS) {
        const path = `/mcp/${server.transport}-${server.era}`;
        const agent = started.adopt(await WireAgent.open(gateway, path, era), (one) => one.close());
        cells.push({ name: `${era} agent, ${server.era} server over ${server.transport}`, server, agent });
      }
    }
  });
  after(() => started.disposeAsync());

  test('of 20 MB arrives as it was sent, from the server and from the agent, and memory is given back', async (t) => {
    const large = `"${'0123456789abcdef'.repeat((20 * MIB) / 16)}"`;
    const grown: number[] = [];
    const start = memory(gateway.pid);
    // one pair of eras for each transport and direction: every adapter is passed once
    for (const { name, agent, server } of cells) {
      if ((agent.era === server.era) === (server.transport === 'http')) continue;
      answer = (asked) => asked.result(`{"content":[],"large":${large}}`);
      const told = await agent.call('tools/call', '"name":"do"');
      assert.ok(told.last.includes(`"large":${large}`), `${name}: ${told.last.slice(0, 200)}`);
      let seen = '';
      answer = (asked) => {
        seen = asked.text;
        asked.result('{"content":[]}');
      };
      const taken = await agent.call('tools/call', `"name":"do","arguments":{"large":${large}}`);
      assert.match(taken.last, /"result"/, name);
      assert.ok(seen.includes(`"arguments":{"large":${large}}`), `${name}: ${seen.slice(0, 200)}`);
      grown.push(memory(gateway.pid) - start);
    }
    t.diagnostic(`after each pair of 20 MiB messages the gateway had grown by ${grown.map(mib).join(', ')}`);
    assert.ok(Math.max(...grown) < 700 * MIB, 'a few copies of what is under way, not of what was');
  });

  test('list of 5,000 tools is whole, though it came in 50 pages, and is served from memory', async (t) => {
    for (const era of ERAS) {
      const agent = started.adopt(await WireAgent.open(gateway, '/mcp/paged', era), (one) => one.close());
      const took: number[] = [];
      for (let n = 0; n < 12; n += 1) {
        const begun = performance.now();
        const { last } = await agent.call('tools/list', '');
        took.push(performance.now() - begun);
        const { result } = JSON.parse(last) as { result: { tools: { name: string }[]; nextCursor?: string } };
        assert.equal(result.nextCursor, undefined);
        assert.deepEqual(
          result.tools.map(({ name }) => name),
          names(),
        );
      }
      const median = took.slice(2).sort((a, b) => a - b)[5]!;
      t.diagnostic(`${era}: ${took[0]!.toFixed(1)} ms the first time, then ${median.toFixed(1)} ms in the median`);
      assert.ok(median < 200, `${median} ms`);
    }
  });

  test('stream that its agent does not read stops the server, and nobody else', async (t) => {
    for (const { name, agent, server } of cells) {
      // over a pipe others would wait as well, so that the patience with one agent has an end: the next test
      if (server.transport === 'stdio') continue;
      const flood = new Flood(100 * MIB);
      answer = (asked) => flood.begin(asked);
      const start = memory(gateway.pid);
      const sent = agent.begin('tools/call', '"name":"do"', { meta: LOUD });
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      await flood.stalled();
      answer = (asked) => asked.result('{"content":[]}');
      for (const other of cells) {
        const { last } = await other.agent.call('tools/call', '"name":"do"', { id: '"other"' });
        assert.match(last, /"id":"other","result"/, other.name);
      }
      const grown = memory(gateway.pid) - start;
      t.diagnostic(`${name}: stopped after ${mib(flood.written)}, the gateway grew by ${mib(grown)}`);
      assert.ok(flood.written < 60 * MIB, `${name}: ${mib(flood.written)} were taken`);
      assert.ok(grown < 150 * MIB, `${name}: ${mib(grown)}`);
      if (agent.era === server.era) assert.match((await restOf(response)).slice(-200), /"id":1,"result"/, name);
      response.destroy();
    }
  });

  test('stream that its agent reads slowly is as slow at its server, however small the events', async (t) => {
    for (const { name, agent, server } of cells) {
      if (server.transport === 'stdio' || agent.era !== server.era) continue;
      const flood = new Flood(200 * MIB, 40);
      answer = (asked) => flood.begin(asked);
      const start = memory(gateway.pid);
      const sent = agent.begin('tools/call', '"name":"do"', { meta: LOUD });
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      let taken = 0;
      for (let n = 0; n < 200; n += 1) {
        taken += (response.read(64 * 1024) as Buffer | null)?.length ?? 0;
        await pass(10);
      }
      const grown = memory(gateway.pid) - start;
      t.diagnostic(`${name}: ${mib(flood.written)} sent, ${mib(taken)} read, the gateway grew by ${mib(grown)}`);
      assert.ok(taken > MIB, `${name}: ${mib(taken)} read`);
      assert.ok(flood.written - taken < 40 * MIB, `${name}: ${mib(flood.written)} sent, ${mib(taken)} read`);
      assert.ok(grown < 150 * MIB, `${name}: ${mib(grown)}`);
      response.destroy();
    }
  });

  test('stream over a pipe is given up when its agent does not read, and others go on', async () => {
    for (const { name, agent, server } of cells) {
      if (server.transport === 'http' || agent.era !== server.era) continue;
      const flood = new Flood(100 * MIB);
      answer = (asked) => flood.begin(asked);
      const sent = agent.begin('tools/call', '"name":"do"', { meta: LOUD });
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      // nobody has read a byte: all of it leaves the server only when the call does not hold the pipe up any more
      await flood.over.promise;
      answer = (asked) => asked.result('{"content":[]}');
      const other = cells.find((one) => one.server === server && one.agent !== agent)!;
      const { last } = await other.agent.call('tools/call', '"name":"do"', { id: '"other"' });
      assert.match(last, /"id":"other","result"/, name);
      assert.match((await restOf(response)).slice(-300), /"error"/, name);
    }
  });

  test('request that takes its time to arrive and to be answered is carried all the same', async () => {
    for (const { name, agent } of cells) {
      let seen = 0;
      answer = (asked) => {
        seen = asked.text.length;
        setTimeout(() => asked.result('{"content":[]}'), 50);
      };
      const large = `"${'x'.repeat(4 * MIB)}"`;
      const body = Buffer.from(agent.body('tools/call', `"name":"do","arguments":{"large":${large}}`, {}));
      const sent = agent.request(agent.mirrored('tools/call', '"name":"do"'));
      for (let at = 0; at < body.length; at += MIB) {
        sent.write(body.subarray(at, at + MIB));
        await pass(5);
      }
      sent.end();
      assert.match((await answered(sent)).last, /"result"/, name);
      assert.ok(seen > 4 * MIB, name);
    }
  });
});

/** A hundred tools a page. */
function page(cursor: string | undefined): string {
  const at = Number(cursor ?? '0');
  const items = names().slice(at * (TOOLS / PAGES), (at + 1) * (TOOLS / PAGES));
  const tools = items.map((name) => `{"name":"${name}","description":"Does it.","inputSchema":{"type":"object"}}`);
  const next = at + 1 < PAGES ? `,"nextCursor":"${at + 1}"` : '';
  return `{"tools":[${tools.join(',')}]${next},"resultType":"complete","ttlMs":60000,"cacheScope":"public"}`;
}

function names(): string[] {
  return Array.from({ length: TOOLS }, (_, n) => `tool_${n}`);
}

/** Events as fast as they are taken. */
class Flood {
  written = 0;
  readonly over = Promise.withResolvers<void>();
  readonly #most: number;
  readonly #text: string;

  constructor(most: number, size = 1024) {
    this.#most = most;
    this.#text = `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"${'x'.repeat(size)}"}}`;
  }

  begin(asked: Asked): void {
    void this.#pour(asked);
  }

  async #pour(asked: Asked): Promise<void> {
    while (this.written < this.#most && !asked.stream.destroyed) {
      this.written += this.#text.length;
      if (!asked.event(this.#text)) await drained(asked.stream);
    }
    asked.result('{"content":[]}');
    this.over.resolve();
  }

  /** Nothing was taken for a while. */
  async stalled(): Promise<void> {
    for (let last = -1; last !== this.written;) {
      last = this.written;
      await pass(300);
    }
  }
}

/** The reader has caught up, or is gone. */
async function drained(stream: Writable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => resolve();
  stream.on('drain', done).on('close', done);
  await promise;
  stream.off('drain', done).off('close', done);
}

async function restOf(response: IncomingMessage): Promise<string> {
  let end = '';
  for await (const chunk of response) end = (end + String(chunk)).slice(-2_000);
  return end;
}

/** Resident bytes of a process. */
function memory(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
