/**
 * `npm run conformance`: the official MCP suite against the fixture, then through the gateway in front of it, for both
 * eras and both transports; then its client leg, with our client alone and through the gateway. Exits 1 when a required
 * scenario fails that test/conformance/baseline.ts does not expect, or passes although it does.
 *
 *   --only 2026/http   cells whose name has all of these parts: 2025-06 2025 2026, direct gateway, legacy modern client, http stdio
 *   --json             the scores as JSON, instead of a table
 *   --write            also writes docs/conformance.md (needs all cells, each with full marks or what is expected)
 */
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { BASELINE } from '../test/conformance/baseline.ts';
import { cells, isExpected, isWell, nameOf, runCell } from '../test/conformance/run.ts';
import type { Cell, Score } from '../test/conformance/run.ts';
import type { Outcome } from '../test/conformance/suite.ts';

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
if (options.write && rows.every(isGood)) await writeFile(PAGE, await page(rows));
process.exitCode = rows.every(isGood) ? 0 : 1;

function isGood(row: Row): boolean {
  return row.broken === undefined && isWell(row as unknown as Score);
}

/** A direct score stands beside every other score of its requirement set and leg. */
function isBeside(cell: Cell): boolean {
  return chosen.some((other) => isSameSet(other, cell));
}

function isSameSet(one: Cell, other: Cell): boolean {
  return one.revision === other.revision && (one.flavour === undefined) === (other.flavour === undefined);
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

function required({ passed, total, expected = 0, broken }: Row): string {
  if (broken !== undefined) return 'did not run';
  return `${passed}/${total}${expected > 0 ? ` + ${expected} expected` : ''}`;
}

/** The same requirement set without a gateway: a fixture of its own era, or the client alone. */
function directOf({ cell }: Row, scored: Row[]): string {
  const found = scored.find((row) => row.cell.direct && isSameSet(row.cell, cell));
  return found ? required(found) : 'not run';
}

function unscored({ outcomes = [] }: Row): string {
  const others = outcomes.filter((outcome) => !outcome.required);
  return `${others.filter(({ passed }) => passed).length}/${others.length}`;
}

function failures(scored: Row[]): string[] {
  return scored.flatMap(({ cell, broken, outcomes = [], surprises = [], again = [] }) => {
    const failed = outcomes.filter(({ failedChecks }) => failedChecks.length > 0);
    const lines = [
      ...(broken ? [`- ${broken}`] : []),
      ...failed.flatMap((outcome) => [`- ${outcome.scenario}${remark(outcome, cell)}`, ...failedLines(outcome)]),
      ...surprises.map(({ scenario }) => `- ${scenario} passes: take it out of test/conformance/baseline.ts`),
      ...again.map((scenario) => `- ${scenario} passed only when it was run again by itself`),
    ];
    return lines.length === 0 ? [] : [`${nameOf(cell)}:`, '', ...lines, ''];
  });
}

function failedLines({ failedChecks }: Outcome): string[] {
  return failedChecks.map((check) => `  - ${check}`);
}

function remark(outcome: Outcome, cell: Cell): string {
  if (!outcome.required) return ' (not scored)';
  return isExpected(outcome, cell) ? ' (expected)' : '';
}

async function page(scored: Row[]): Promise<string> {
  const suite = createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json');
  const { version } = JSON.parse(await readFile(suite, 'utf8')) as { version: string };
  const failed = failures(scored);
  return `# Conformance

What \`npm run conformance -- --write\` measured with \`@modelcontextprotocol/conformance\` ${version}.

A cell is a requirement set (2026: 2026-07-28, 2025: 2025-11-25; 2025-06: every scenario of 2025-06-18, which has no set),
and the server behind the gateway: its era (legacy speaks 2025-11-25 and older only, modern 2026-07-28 only) and its
transport. *required* is the gateway's score, *direct* the score of a server of the set's own era without a gateway. *not
scored* are scenarios that the suite runs and never counts; those of extensions are left out.

The cells named *client* are the suite's client leg: an ordinary client (SDK v2) against the suite's servers, alone
(*direct*) and with the gateway between, so that the suite sees the gateway's own messages. Scenarios of authorization are
left out there: behind a gateway it is the gateway that authorizes itself.

${table(scored).join('\n')}

## What is expected to fail

${BASELINE.map(({ scenario, cells: names, why, source }) => `- \`${scenario}\` (${names.join(', ')}): ${why} (${source})`).join('\n')}

${failed.length > 0 ? `## What fails\n\n${failed.join('\n')}` : 'Nothing fails.'}
`;
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
