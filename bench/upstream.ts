/**
 * CPU of one relayed `tools/call` on the upstream edge: microseconds on the main thread, beside undici's `dispatch`
 * alone on the same bytes. The server is another process, so that only the client's side is counted.
 * `node bench/upstream.ts [calls]`
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import type { Outlet, Upstreams } from '../src/gateway/ports.ts';
import { call, hop, http, soon, upstreamsOf } from '../test/fixtures/upstream/kit.ts';
import { DISCOVERED, INITIALIZED } from '../test/fixtures/upstream/scripted-http.ts';

const ANSWER = JSON.stringify({ content: [{ type: 'text', text: 'x'.repeat(1400) }], resultType: 'complete' });
const ROUNDS = 7;
const AT_ONCE = 32;
const ME = fileURLToPath(import.meta.url);

if (process.send === undefined) await measure(Number(process.argv[2] ?? 5000));
else serve();

function serve(): void {
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      if (req.method !== 'POST') return res.writeHead(405).end();
      const text = Buffer.concat(chunks).toString();
      const id = /"id":(\d+)/.exec(text)?.[1];
      const headers = { 'content-type': 'application/json', 'mcp-session-id': 's' };
      if (id === undefined) return res.writeHead(202).end();
      return res.writeHead(200, headers).end(`{"jsonrpc":"2.0","id":${id},"result":${resultFor(text)}}`);
    });
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  process.once('disconnect', () => process.exit());
}

function resultFor(text: string): string {
  if (text.includes('"server/discover"')) return DISCOVERED;
  return text.includes('"initialize"') ? INITIALIZED : ANSWER;
}

async function measure(calls: number): Promise<void> {
  const child = fork(ME);
  const [port] = (await once(child, 'message')) as [number];
  const url = `http://127.0.0.1:${port}/mcp`;
  const upstreams = upstreamsOf([http('modern', url, { era: 'modern' }), http('legacy', url, { era: 'legacy' })]);
  await Promise.all(['modern', 'legacy'].map((name) => upstreams.surface(name, hop, soon())));
  const pool = new Pool(`http://127.0.0.1:${port}`, { allowH2: false });
  const rows = {
    'undici dispatch alone': (done: () => void) => bare(pool, done),
    'modern server': (done: () => void) => relayed(upstreams, 'modern', done),
    'legacy server': (done: () => void) => relayed(upstreams, 'legacy', done),
  };
  for (const [name, figures] of await interleaved(rows, calls)) {
    process.stdout.write(`${name.padEnd(24)} ${median(figures).toFixed(1)} µs of CPU a call\n`);
  }
  await Promise.all([upstreams.close(), pool.destroy()]);
  child.disconnect();
}

type Once = (done: () => void) => void;

async function interleaved(rows: Record<string, Once>, calls: number): Promise<Map<string, number[]>> {
  const figures = new Map<string, number[]>();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, one] of Object.entries(rows)) {
      const before = process.cpuUsage();
      await many(one, calls);
      const { user, system } = process.cpuUsage(before);
      // the first round warms up
      if (round > 0) figures.set(name, [...(figures.get(name) ?? []), (user + system) / calls]);
    }
  }
  return figures;
}

function many(one: Once, calls: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let started = 0;
  let done = 0;
  const next = (): void => {
    if (started < calls) {
      started++;
      one(() => (++done === calls ? resolve() : next()));
    }
  };
  for (let lane = 0; lane < AT_ONCE; lane++) next();
  return promise;
}

function bare(pool: Pool, done: () => void): void {
  const body =
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello"}}}';
  const headers = ['content-type', 'application/json', 'accept', 'application/json, text/event-stream'];
  const unread = () => undefined;
  const handler = {
    onRequestStart: unread,
    onResponseStart: unread,
    onResponseData: unread,
    onResponseEnd: done,
    onResponseError: unread,
  };
  pool.dispatch({ path: '/mcp', method: 'POST', headers, body }, handler);
}

function relayed(upstreams: Upstreams, server: string, done: () => void): void {
  const outlet: Outlet = {
    event: () => undefined,
    ask: () => undefined,
    close: done,
    fail: (reason, detail) => {
      throw new Error(`${reason}: ${detail}`);
    },
  };
  upstreams.open(call(server, 'echo', { message: 'hello' }), outlet, undefined);
}

function median(figures: readonly number[]): number {
  return [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN;
}
