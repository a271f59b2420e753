/**
 * `node bench/store.ts [embedded|postgres] [seconds]`: durable puts per second with 64 in flight, what one waits, and
 * how long the event loop is held up meanwhile. Median of five rounds, 2 KB values, real disk.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { startPostgres } from '../test/postgres.ts';
import { embedded } from '../src/components/store/embedded/embedded.ts';
import { postgres } from '../src/components/store/postgres/postgres.ts';
import type { Store } from '../src/components/store/store.ts';
import { systemClock } from '../src/lib/clock.ts';

const [family = 'embedded', seconds = '2'] = process.argv.slice(2);
const IN_FLIGHT = 64;
const ROUNDS = 5;
const VALUE = JSON.stringify({ body: 'x'.repeat(2_000) });

interface Opened {
  readonly store: Store;
  readonly close: () => Promise<void>;
}

async function openEmbedded(): Promise<Opened> {
  // Not the system's temporary folder: that may be memory, which is durable for free.
  const dir = await mkdtemp(join(process.cwd(), '.sallyport-bench-'));
  const store = await embedded.open({ dir }, { clock: systemClock });
  const close = async () => {
    await store.close();
    await rm(dir, { recursive: true });
  };
  return { store, close };
}

async function openPostgres(): Promise<Opened> {
  const server = await startPostgres();
  const config = { url: server.url, schema: 'bench', connections: 16 };
  const store = await postgres.open(config, { clock: systemClock });
  const close = async () => {
    await store.close();
    await server.stop();
  };
  return { store, close };
}

interface Round {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly loop: number;
  readonly cpu: number;
}

async function round(work: (i: number) => Promise<unknown>): Promise<Round> {
  const waits: number[] = [];
  const loop = monitorEventLoopDelay({ resolution: 1 });
  const start = performance.now();
  const cpu = process.threadCpuUsage();
  const end = start + Number(seconds) * 1_000;
  let i = 0;
  const one = async (): Promise<void> => {
    while (performance.now() < end) {
      const asked = performance.now();
      await work((i += 1));
      waits.push(performance.now() - asked);
    }
  };
  loop.enable();
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  loop.disable();
  waits.sort((a, b) => a - b);
  const used = process.threadCpuUsage(cpu);
  return {
    rate: (waits.length / (performance.now() - start)) * 1_000,
    p50: waits[Math.floor(waits.length * 0.5)] ?? 0,
    p99: waits[Math.floor(waits.length * 0.99)] ?? 0,
    loop: loop.percentile(99) / 1e6 - 1,
    cpu: (used.user + used.system) / waits.length,
  };
}

async function measure(name: string, work: (i: number) => Promise<unknown>): Promise<void> {
  const rounds: Round[] = [];
  for (let i = 0; i < ROUNDS; i += 1) rounds.push(await round(work));
  const median = (of: keyof Round) => rounds.map((each) => each[of]).sort((a, b) => a - b)[ROUNDS >> 1] ?? 0;
  const cells = [
    `${median('rate').toFixed(0)}/s`,
    `p50 ${median('p50').toFixed(2)} ms`,
    `p99 ${median('p99').toFixed(2)} ms`,
    `loop p99 ${Math.max(0, median('loop')).toFixed(2)} ms`,
    `main thread ${median('cpu').toFixed(0)} µs each`,
  ];
  console.log(`${family} ${name.padEnd(10)} ${cells.join(' · ')}`);
}

const { store, close } = await (family === 'postgres' ? openPostgres() : openEmbedded());
let n = 0;
const far = Date.now() + 3_600_000;
await measure('put', (i) => store.records.put('t', 'bench', `key-${i % 10_000}`, { value: VALUE, expected: 'any' }));
await measure('get', (i) => store.records.get('t', 'bench', `key-${i % 10_000}`));
await measure('consume', () => store.uses.consume('t', `use-${(n += 1)}`, far));
await measure('add', (i) => store.counters.add('t', `counter-${i % 100}`, { start: 0, end: far }, 1, 1e12));
const shown = (v: number) =>
  Array.from({ length: 100 }, (_, i) => ({
    kind: 'tool' as const,
    name: `tool-${i}`,
    digest: `${v}`,
    body: VALUE,
  }));
await measure('see-100', (i) => store.definitions.see('t', `server-${i % 64}`, shown(1)));
await close();
