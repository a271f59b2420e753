/**
 * `npm run conformance`: the official MCP suite against the fixture, then through the gateway in front of it, for both
 * eras and both transports. Exits 1 when a required scenario fails.
 *
 *   --only 2026/http   cells whose name has all of these parts: 2025 2026, direct, legacy modern, http stdio
 *   --json             the scores as JSON, instead of a table
 *   --write            also writes docs/conformance.md (needs all cells, and that each one ran)
 */
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { cells, nameOf, runCell } from '../test/conformance/run.ts';
import type { Cell, Score } from '../test/conformance/run.ts';

interface Row extends Partial<Score> {
  cell: Cell;
  /** Why there is no score: the gateway or the fixture did not start. */
  broken?: string;
}

const PAGE = new URL('../docs/conformance.md', import.meta.url);
const COLUMNS = ['cell', 'required', 'direct', 'not scored'] as const;

const { values: options } = parseArgs({
  options: { only: { type: 'string' }, json: { type: 'boolean' }, write: { type: 'boolean' } },
});
if (options.write && options.only) fail('--write needs all cells, so it goes without --only');
const parts = options.only?.split('/') ?? [];
const chosen = cells.filter((cell) => parts.every((part) => nameOf(cell).split('/').includes(part)));
if (chosen.length === 0) fail(`No cell has all of ${options.only}; there are ${cells.map(nameOf).join(' ')}`);

const rows = await inPairs(cells.filter((cell) => chosen.includes(cell) || (cell.direct && isBeside(cell))));
console.log(options.json ? JSON.stringify(rows, null, 2) : report(rows));
if (options.write && rows.every(({ broken }) => !broken)) await writeFile(PAGE, await page(rows));
process.exitCode = rows.every(({ passed, total, broken }) => !broken && passed === total) ? 0 : 1;

/** A direct score stands beside every other score of its requirement set. */
function isBeside({ revision }: Cell): boolean {
  return chosen.some((cell) => cell.revision === revision);
}

/** Two at a time: the suite mostly waits, and one cell shares nothing with another. */
async function inPairs(queue: readonly Cell[]): Promise<Row[]> {
  const waiting = [...queue.entries()];
  const done: Row[] = [];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) done[next[0]] = await score(next[1]);
  };
  await Promise.all([work(), work()]);
  return done;
}

async function score(cell: Cell): Promise<Row> {
  try {
    return { cell, ...(await runCell(cell)) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { cell, broken: message.trim().split('\n').slice(0, 8).join('\n    ') };
  }
}

function report(scored: Row[]): string {
  return [...table(scored), '', ...failures(scored)].join('\n');
}

function table(scored: Row[]): string[] {
  const lines = scored.map((row) => [nameOf(row.cell), required(row), directOf(row, scored), unscored(row)]);
  const widths = COLUMNS.map((column, i) => Math.max(column.length, ...lines.map((line) => line[i]!.length)));
  const draw = (line: readonly string[]) => `| ${line.map((text, i) => text.padEnd(widths[i]!)).join(' | ')} |`;
  return [draw(COLUMNS), draw(widths.map((width) => '-'.repeat(width))), ...lines.map(draw)];
}

function required({ passed, total, broken }: Row): string {
  return broken === undefined ? `${passed}/${total}` : 'did not run';
}

/** The same requirement set against a fixture of its own era, without a gateway. */
function directOf({ cell }: Row, scored: Row[]): string {
  const found = scored.find((row) => row.cell.direct && row.cell.revision === cell.revision);
  return found ? required(found) : 'not run';
}

function unscored({ outcomes = [] }: Row): string {
  const others = outcomes.filter((outcome) => !outcome.required);
  return `${others.filter(({ passed }) => passed).length}/${others.length}`;
}

function failures(scored: Row[]): string[] {
  return scored.flatMap(({ cell, broken, outcomes = [] }) => {
    const failed = outcomes.filter(({ failedChecks }) => failedChecks.length > 0);
    if (broken === undefined && failed.length === 0) return [];
    const lines = failed.flatMap(({ scenario, required: counts, failedChecks }) => [
      `- ${scenario}${counts ? '' : ' (not scored)'}`,
      ...failedChecks.map((check) => `  - ${check}`),
    ]);
    return [`${nameOf(cell)}:`, '', ...(broken ? [`- ${broken}`] : []), ...lines, ''];
  });
}

async function page(scored: Row[]): Promise<string> {
  const suite = createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json');
  const { version } = JSON.parse(await readFile(suite, 'utf8')) as { version: string };
  const failed = failures(scored);
  return `# Conformance

What \`npm run conformance -- --write\` measured with \`@modelcontextprotocol/conformance\` ${version}.

A cell is a requirement set, and the server behind the gateway: its era (legacy speaks 2025-11-25 and older only, modern
2026-07-28 only) and its transport. *required* is the gateway's score, *direct* the score of a server of the set's own
era without a gateway. *not scored* are scenarios that the suite runs and never counts; those of extensions are left out.

${table(scored).join('\n')}

${failed.length > 0 ? `## What fails\n\n${failed.join('\n')}` : 'Nothing fails.'}
`;
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
