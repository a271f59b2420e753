/**
 * `node bench/runs.ts <chains.jsonl[.gz]>`: what it costs that a caller without session and claim has one run for all its contexts.
 * Replays chains of tool calls as several contexts of one principal, interleaved in time, through the gateway's own `Runs`, and prints
 * per idle window: how many sources a run is charged with that its own context never saw (over-tainting), and how many it lost that
 * its context still holds, because a pause was longer than the window (under-tainting). Time is simulated, with a fixed seed.
 *
 * A line of the file: `{ "json": { "suite": string, "calls": [{ "tool": string }] } }`. A source is a tool of a suite.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { sampleExchange, samplePrincipal } from '../src/components/samples.ts';
import { Runs } from '../src/gateway/runs.ts';
import { manualClock } from '../src/lib/clock.ts';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('name a file of chains');

const MINUTE = 60_000;
const WINDOWS = [1, 5, 15, 30, 60, 240].map((minutes) => minutes * MINUTE);
/** New contexts an hour: one agent at a time, a busy person, a fleet behind one token. */
const LOADS = [1, 6, 30];
/** Milliseconds between two calls of one context: mostly the model thinking, one pause in ten a person who is away. */
const THINKING = 20_000;
const AWAY = 20 * MINUTE;

interface Line {
  readonly json: { readonly suite: string; readonly calls: readonly { readonly tool: string }[] };
}

const chains = linesOf(file).map(({ json }) => json.calls.map(({ tool }) => `${json.suite}/${tool}`));

function linesOf(path: string): Line[] {
  const bytes = readFileSync(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
}

interface Call {
  readonly at: number;
  readonly context: number;
  readonly source: string;
}

/** All calls of all contexts in the order of time. */
function schedule(load: number): Call[] {
  const random = seeded(42);
  const exponential = (mean: number): number => -Math.log(1 - random()) * mean;
  let begins = 0;
  const calls = chains.flatMap((sources, context) => {
    begins += exponential((60 * MINUTE) / load);
    let at = begins;
    return sources.map((source) => {
      at += exponential(random() < 0.1 ? AWAY : THINKING);
      return { at, context, source };
    });
  });
  return calls.toSorted((one, other) => one.at - other.at);
}

/** mulberry32: the same numbers on every machine. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Taint {
  /** Sources a call on average: in its run and not in its context, and the other way round. */
  readonly foreign: number;
  readonly lost: number;
  /** Parts of all calls that have any. */
  readonly over: number;
  readonly under: number;
}

function replay(load: number, idle: number): Taint {
  const clock = manualClock(0);
  const runs = new Runs(clock, () => ({ idle, claims: [] }));
  const principal = samplePrincipal('one');
  const seen = chains.map(() => new Set<string>());
  const calls = schedule(load);
  const sums = { foreign: 0, lost: 0, over: 0, under: 0 };
  for (const { at, context, source } of calls) {
    clock.advance(at - clock.now());
    const run = runs.of(principal, undefined);
    const own = seen[context]!;
    const labels = runs.labels(run);
    const foreign = labels.filter((label) => !own.has(label)).length;
    const lost = own.size - (labels.length - foreign);
    sums.foreign += foreign;
    sums.lost += lost;
    sums.over += foreign > 0 ? 1 : 0;
    sums.under += lost > 0 ? 1 : 0;
    runs.saw(sampleExchange({ principal, run }), source);
    own.add(source);
  }
  const of = (sum: number): number => sum / calls.length;
  return { foreign: of(sums.foreign), lost: of(sums.lost), over: of(sums.over), under: of(sums.under) };
}

const calls = chains.reduce((sum, { length }) => sum + length, 0);
console.log(`${chains.length} contexts, ${calls} calls, ${new Set(chains.flat()).size} sources\n`);
console.log(
  '| contexts an hour | idle window | foreign sources a call | calls with any | lost sources a call | calls with any |',
);
console.log('|--:|--:|--:|--:|--:|--:|');
for (const load of LOADS) {
  for (const idle of WINDOWS) {
    const { foreign, lost, over, under } = replay(load, idle);
    const cells = [load, `${idle / MINUTE} min`, foreign.toFixed(2), percent(over), lost.toFixed(2), percent(under)];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}
