/**
 * What a call costs: `npm run bench -- [--quick] [--only row,row] [--peers] [--rounds n] [--seconds s] [--warmUp s] [--json] [--write]
 * [--against checkout]`.
 * docs/performance.md is what it wrote last, and says how to read it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measure } from './harness/measure.ts';
import { measureMemory, type Memory } from './harness/memory.ts';
import { compileInto } from './harness/native.ts';
import { installPeers } from './harness/peers.ts';
import { installed } from './harness/processes.ts';
import { machine, page, plain, table, type Report } from './harness/report.ts';
import { allRows, type Row } from './harness/rows.ts';

const FULL = { rounds: 5, seconds: 1.5, warmUp: 10, sessions: 1000 };
const QUICK = { rounds: 1, seconds: 0.4, warmUp: 0.5, sessions: 200 };
const PAGE = new URL('../docs/performance.md', import.meta.url);

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    peers: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    warmUp: { type: 'string' },
    json: { type: 'boolean', default: false },
    against: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});

try {
  const report = await run();
  process.stdout.write(options.json ? `${JSON.stringify(plain(report), undefined, 2)}\n` : table(report));
  if (options.write) await writeFile(PAGE, page(report));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function run(): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  try {
    const scene = { folder, native: compileInto(folder) };
    if (options.peers) installPeers();
    const rows = chosen(allRows(options.peers, options.against), options.only?.split(','));
    const { sessions, ...plan } = { ...(options.quick ? QUICK : FULL), ...given() };
    announce();
    const measured = await measure(rows, scene, { ...plan, progress });
    const memory = options.only === undefined ? await memoryOf(scene, sessions) : undefined;
    const date = new Date().toISOString().slice(0, 10);
    return {
      date,
      command: command(),
      machine: machine(),
      rounds: plan.rounds,
      seconds: plan.seconds,
      rows: measured,
      memory,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function memoryOf(scene: Parameters<typeof measureMemory>[0], sessions: number): Promise<Memory> {
  progress(`memory of ${sessions} sessions`);
  return measureMemory(scene, sessions);
}

function given(): { rounds?: number; seconds?: number; warmUp?: number } {
  const said = (['rounds', 'seconds', 'warmUp'] as const).filter((name) => options[name] !== undefined);
  return Object.fromEntries(said.map((name) => [name, Number(options[name])]));
}

/** By a part of the row's name or group; a word that fits nothing is a slip. */
function chosen(rows: readonly Row[], words: readonly string[] | undefined): readonly Row[] {
  if (words === undefined) return rows;
  const fits = ({ group, name }: Row, word: string): boolean => `${group}: ${name}`.includes(word.trim());
  const lost = words.find((word) => !rows.some((row) => fits(row, word)));
  if (lost !== undefined) {
    const names = rows.map(({ group, name }) => `  ${group}: ${name}`);
    throw new Error(`no row has "${lost}" in its name:\n${names.join('\n')}`);
  }
  return rows.filter((row) => words.some((word) => fits(row, word)));
}

function announce(): void {
  for (const program of ['haproxy', 'nginx', 'taskset']) {
    if (!installed(program))
      progress(
        `no ${program} here (apt-get install ${program === 'taskset' ? 'util-linux' : program}): going on without`,
      );
  }
}

function command(): string {
  return ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ');
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
