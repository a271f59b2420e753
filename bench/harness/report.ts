/** The table, for a terminal and for docs/performance.md. */
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { Measured } from './measure.ts';
import type { Memory } from './memory.ts';
import { PINNED } from './processes.ts';

export interface Report {
  readonly date: string;
  readonly command: string;
  readonly machine: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly rows: readonly Measured[];
  readonly memory: Memory | undefined;
}

export function machine(): string {
  const model = cpus()[0]?.model ?? 'unknown CPU';
  const memory = Math.round(totalmem() / 2 ** 30);
  const pinned = PINNED ? 'the measured process alone on core 0' : 'nothing pinned to a core';
  return `${cpus().length} × ${model}, ${memory} GiB, Linux ${release()}, Node ${process.version}, ${pinned}`;
}

/** For `--json`: names instead of functions. */
export function plain(report: Report): object {
  const rows = report.rows.map(({ row, ...figures }) => {
    return { group: row.group, name: row.name, era: row.era, path: row.path, tool: row.tool, ...figures };
  });
  return { ...report, rows };
}

const HEAD = ['', 'CPU µs per call', 'lowest–highest', 'calls/s', 'p50 added', 'p99 added'];

export function table(report: Report): string {
  const groups = Map.groupBy(report.rows, ({ row }) => row.group);
  const tables = [...groups].map(([group, rows]) => aligned([[group, ...HEAD.slice(1)], ...rows.map(cells)]));
  return [...tables, memoryLine(report.memory)].filter((text) => text !== '').join('\n\n') + '\n';
}

function cells({ row, cpu, spread, callsPerSecond, p50, p99 }: Measured): string[] {
  const [low, high] = spread;
  const times = [p50, p99].map((time) => `${(time / 1000).toFixed(2)} ms`);
  return [row.name, cpu.toFixed(1), `${low.toFixed(0)}–${high.toFixed(0)}`, callsPerSecond.toFixed(0), ...times];
}

/** A Markdown table is a table on a terminal too. */
function aligned(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  const text = (line: readonly string[]): string => {
    return `| ${line.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join(' | ')} |`;
  };
  const rule = `|${widths.map((width, at) => (at === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  const [head = [], ...rest] = lines;
  return [text(head), rule, ...rest.map(text)].join('\n');
}

function memoryLine(memory: Memory | undefined): string {
  if (memory === undefined) return '';
  const { idle, perSession, sessions } = memory;
  return `Memory: ${(idle / 1024).toFixed(0)} MiB resident when idle, ${perSession.toFixed(1)} KB more for each of ${sessions} idle sessions.`;
}

const PAGE = new URL('../performance.template.md', import.meta.url);

/** docs/performance.md: the words of the template around the figures. */
export function page(report: Report): string {
  const { date, command, machine, rounds, seconds } = report;
  const run = `Measured on ${date} with \`${command}\`: medians of ${rounds} interleaved rounds of ${seconds} s.\nMachine: ${machine}.`;
  return readFileSync(PAGE, 'utf8')
    .replace('{run}', () => run)
    .replace('{tables}', () => table(report).trimEnd());
}
