/** The admin API over the gateway's own socket, and how its answers and problems are shown. */
import { findPlaces } from './find.ts';
import type { FindOptions } from './command.ts';
import { EXIT } from './exit.ts';
import { ask } from './gateway-client.ts';
import { coloured, err, out, outJson } from './terminal.ts';
import { visible } from '../telemetry/log.ts';

export interface AdminOptions extends FindOptions {
  readonly json?: true;
}

export interface AdminRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/admin/v1`. */
  readonly path: string;
  readonly body?: object;
}

type Told = Readonly<Record<string, unknown>>;

/** Asks, shows the answer (or the problem), and gives the exit code. */
export async function administer(
  options: AdminOptions,
  request: AdminRequest,
  show: (told: Told) => string,
): Promise<number> {
  const { status, text } = await ask(await findPlaces(options), {
    method: request.method,
    path: `/admin/v1${request.path}`,
    ...(request.body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(request.body) }),
  });
  const told = text === '' ? {} : (JSON.parse(text) as Told);
  if (status >= 400) return tellProblem(status, told, options.json === true);
  if (options.json) outJson(told);
  else out(show(told));
  return EXIT.ok;
}

function tellProblem(status: number, told: Told, json: boolean): number {
  if (json) outJson(told);
  else err(coloured('red', problemText(told), process.stderr));
  return status === 401 || status === 403 ? EXIT.refused : EXIT.problem;
}

function problemText({ title, remedy, problems }: Told): string {
  const places = (Array.isArray(problems) ? problems : []) as readonly { place: string; expected: string }[];
  const lines = [title, ...places.map(({ place, expected }) => `  ${place || '/'}: ${expected}`), remedy];
  return lines
    .filter((one) => typeof one === 'string')
    .map(visible)
    .join('\n');
}

/** A name becomes one segment of a path. */
export function segment(name: string): string {
  return encodeURIComponent(name);
}

/** For cells: what is absent is `-`, lists are joined. */
export function cell(value: unknown): string {
  if (value === undefined || value === null) return '-';
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(cell).join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** `--group a --group b`, `--server files,web`. */
export function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',').filter((one) => one !== '')];
}
