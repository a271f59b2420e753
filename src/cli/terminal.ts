/** Standard output is what was asked for, standard error is everything else; colour only on a terminal, never alone. */
import { visible } from '../telemetry/log.ts';

export function out(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function err(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function outJson(value: unknown): void {
  out(JSON.stringify(value, null, 2));
}

const CODES = { red: 31, yellow: 33, green: 32, dim: 2, bold: 1 } as const;

export function coloured(
  colour: keyof typeof CODES,
  text: string,
  stream: { isTTY?: boolean } = process.stdout,
): string {
  const wanted = stream.isTTY === true && !process.env['NO_COLOR'];
  return wanted ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;
}

/** Lines of columns as wide as their widest cell. Cells may be hostile: control characters become visible. */
export function table(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(visible));
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
