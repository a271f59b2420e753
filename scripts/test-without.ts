/**
 * `npm run test:without`: takes each stage of the pipeline and each part of the box away in turn, and names the tests that
 * notice. A removal that no test of its own promise notices is a control that nobody would miss: exit 1.
 *
 *     --only stage:head        one stage in both directions (or stage:inward:head, component:identity/local)
 *     --json                   the table as JSON
 */
import { spawn } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { REQUIREMENTS, type Requirement } from '../test/requirements.ts';
import { REMOVALS, type Removal } from './without.ts';

const ROOT = resolve(import.meta.dirname, '..');
const NEEDED = ['src', 'test/verifies.ts', 'test/requirements.ts', 'package.json'];
const AT_ONCE = 2;
const { values: options } = parseArgs({
  options: { only: { type: 'string' }, json: { type: 'boolean', default: false } },
});

interface Outcome {
  readonly removal: string;
  /** Titles of failing tests that cite a promise kept by what was removed. */
  readonly own: readonly string[];
  readonly others: number;
  readonly seconds: number;
}

interface Run {
  readonly failed: readonly string[];
  readonly passed: number;
}

/** In-process tests that cite a promise: those of the core and of the box, with their texts. */
const TESTS = globSync('src/**/*.test.ts', { cwd: ROOT })
  .map((file) => ({ file, text: readFileSync(join(ROOT, file), 'utf8') }))
  .filter(({ text }) => text.includes('verifies('));

/** Those that cite one of these promises: what else fails without a stage says nothing of its own control. */
function testsOf(ids: readonly string[]): string[] {
  return TESTS.filter(({ text }) => ids.some((id) => text.includes(`'${id}'`))).map(({ file }) => file);
}

/** The tree as it was at the start: whoever edits meanwhile must not change what is compared. */
const SNAPSHOT = mkdtempSync(join(tmpdir(), 'sallyport-without-'));
for (const path of NEEDED) cpSync(join(ROOT, path), join(SNAPSHOT, path), { recursive: true });
process.on('exit', () => rmSync(SNAPSHOT, { recursive: true, force: true }));

/** A copy of it with one file changed. */
function copyWithout(removal: Removal | undefined): string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-without-'));
  cpSync(SNAPSHOT, folder, { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'dir');
  if (removal) writeFileSync(join(folder, removal.file), removal.text(folder));
  return folder;
}

async function testsIn(folder: string, files: readonly string[]): Promise<Run> {
  const flags = ['--test', '--test-isolation=none', '--test-timeout=5000', '--test-reporter=tap'];
  const child = spawn(process.execPath, [...flags, ...files], {
    cwd: folder,
    timeout: 120_000,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const text = (await child.stdout.toArray()).join('');
  const titles = (word: string): string[] =>
    [...text.matchAll(new RegExp(`^${word} \\d+ - (.*)$`, 'gm'))].map((found) => found[1] ?? '');
  return { failed: titles('not ok'), passed: titles('ok').length };
}

async function run(
  removal: Removal | undefined,
  files: readonly string[],
): Promise<Run & { readonly seconds: number }> {
  const folder = copyWithout(removal);
  const start = performance.now();
  try {
    return { ...(await testsIn(folder, files)), seconds: (performance.now() - start) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Ids of the promises that the removed thing keeps. */
function promisesOf({ name }: Removal): string[] {
  return (REQUIREMENTS as readonly Requirement[])
    .filter(({ stage, component }) => stage === name || component === name)
    .map(({ id }) => id);
}

async function without(removal: Removal): Promise<Outcome> {
  const ids = promisesOf(removal);
  const { failed, seconds } = await run(removal, testsOf(ids));
  const own = failed.filter((title) => ids.some((id) => title.endsWith(`[${id}]`)));
  return { removal: `${removal.of}:${removal.name}`, own, others: failed.length - own.length, seconds };
}

function wanted({ of, name }: Removal): boolean {
  const { only } = options;
  if (only === undefined) return true;
  return `${of}:${name}` === only || (of === 'stage' && `stage:${name.split(':')[1]}` === only);
}

async function inTurn(removals: readonly Removal[]): Promise<Outcome[]> {
  const left = [...removals];
  const outcomes: Outcome[] = [];
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) {
      const outcome = await without(next);
      outcomes.push(outcome);
      if (!options.json) console.log(row(outcome));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return outcomes;
}

function row({ removal, own, others, seconds }: Outcome): string {
  const head = `${own.length > 0 ? '✔' : '✖'} ${removal.padEnd(30)} ${String(own.length).padStart(3)} of its own, ${String(others).padStart(3)} others  (${seconds.toFixed(1)} s)`;
  const shown = own.slice(0, 3).map((title) => `    ${title}`);
  const more = own.length > 3 ? [`    … and ${own.length - 3} more`] : [];
  return [head, ...shown, ...more].join('\n');
}

const removals = REMOVALS.filter(wanted);
if (removals.length === 0) {
  console.error(`nothing is called ${options.only}: ${REMOVALS.map(({ of, name }) => `${of}:${name}`).join(' ')}`);
  process.exit(2);
}
const whole = await run(undefined, testsOf(removals.flatMap(promisesOf)));
if (whole.failed.length > 0 || whole.passed === 0) {
  console.error(
    `With everything in place ${whole.failed.length} tests fail and ${whole.passed} pass:\n${whole.failed.join('\n')}`,
  );
  process.exit(2);
}
const outcomes = await inTurn(removals);
const unnoticed = outcomes.filter(({ own }) => own.length === 0);
if (options.json) console.log(JSON.stringify(outcomes, undefined, 2));
else
  console.log(
    `\n${outcomes.length - unnoticed.length} removals noticed, ${unnoticed.length} not${unnoticed.map(({ removal }) => `\n  ${removal}`).join('')}`,
  );
process.exit(unnoticed.length > 0 ? 1 : 0);
