/**
 * `npm run fuzz`: coverage-guided fuzzing of what reads bytes from outside. Inputs that reach a new block of code are kept
 * and changed further; what breaks a target is written to `test/fuzz/seeds/<target>/`, where `npm test` tries it ever after.
 *
 *   --target json   one of the targets (test/fuzz/targets.ts); all of them, one after the other, without
 *   --seconds 60    for each target
 *   --seed 1        the same seed, the same changes
 */
import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mutated, random } from '../test/fuzz/mutate.ts';
import type { Random } from '../test/fuzz/mutate.ts';
import { TARGETS } from '../test/fuzz/targets.ts';
import type { Target } from '../test/fuzz/targets.ts';
import { Coverage } from './fuzz/coverage.ts';

/** Reading the counters costs more than an input; so many share one reading. */
const BATCH = 512;
/** Milliseconds after which one input counts as a hang. */
const SLOW_MS = 1_000;
const SEEDS = fileURLToPath(new URL('../test/fuzz/seeds', import.meta.url));

const { values } = parseArgs({
  options: { target: { type: 'string' }, seconds: { type: 'string' }, seed: { type: 'string' } },
});
const names = values.target === undefined ? Object.keys(TARGETS) : [values.target];
const next = random(Number(values.seed ?? Date.now() % 2 ** 31));
const session = new Session();
session.connect();

let crashes = 0;
for (const name of names) {
  const target = TARGETS[name];
  if (target === undefined) throw new Error(`no target ${name}; there are ${Object.keys(TARGETS).join(', ')}`);
  crashes += fuzz(name, target, Number(values.seconds ?? '60') * 1_000);
}
session.disconnect();
process.exitCode = crashes === 0 ? 0 : 1;

function fuzz(name: string, target: Target, milliseconds: number): number {
  const corpus: Buffer[] = globSync(`${SEEDS}/${name}/*`).map((file) => readFileSync(file));
  const coverage = new Coverage(session);
  const found = new Map<string, string>();
  for (const seed of corpus) attempt(name, target, seed, found);
  coverage.take(coverage.news());
  let runs = 0;
  for (const end = performance.now() + milliseconds; performance.now() < end; runs += BATCH) {
    const batch = Array.from({ length: BATCH }, () => mutated(pick(corpus, next), corpus, next));
    corpus.push(...reaching(name, target, batch, coverage, found));
  }
  const summary = `${runs} inputs, ${corpus.length} kept, ${found.size} crashes`;
  console.log(`${found.size === 0 ? '✔' : '✖'} ${name}: ${summary}`);
  return found.size;
}

/** The newest finds lead furthest. */
function pick(corpus: readonly Buffer[], next: Random): Buffer {
  const recent = next(2) === 0 ? Math.max(0, corpus.length - 16) : 0;
  return corpus[recent + next(corpus.length - recent)] ?? Buffer.alloc(0);
}

/** Those that reach code which nothing before them did: found by halves, because most batches reach none. */
function reaching(
  name: string,
  target: Target,
  batch: readonly Buffer[],
  coverage: Coverage,
  found: Map<string, string>,
): Buffer[] {
  for (const input of batch) attempt(name, target, input, found);
  const news = coverage.news();
  if (news.size === 0) return [];
  if (batch.length > 1) {
    const half = batch.length >> 1;
    return [batch.slice(0, half), batch.slice(half)].flatMap((part) => reaching(name, target, part, coverage, found));
  }
  coverage.take(news);
  return [...batch];
}

/** One file for one kind of failure: the first input that showed it. */
function attempt(name: string, target: Target, input: Buffer, found: Map<string, string>): void {
  const start = performance.now();
  try {
    target(Buffer.from(input));
    if (performance.now() - start > SLOW_MS) throw new Error(`took ${Math.round(performance.now() - start)} ms`);
  } catch (error) {
    const kind = kindOf(error as Error);
    if (found.has(kind)) return;
    const file = `${SEEDS}/${name}/crash-${createHash('sha256').update(input).digest('hex').slice(0, 12)}`;
    mkdirSync(`${SEEDS}/${name}`, { recursive: true });
    writeFileSync(file, input);
    found.set(kind, file);
    console.log(`✖ ${name}: ${file}\n${(error as Error).stack ?? String(error)}\n`);
  }
}

/** Where it was thrown; the message may quote the input. */
function kindOf({ name, stack = '' }: Error): string {
  return `${name} ${/\n +at .*/.exec(stack)?.[0] ?? ''}`;
}
