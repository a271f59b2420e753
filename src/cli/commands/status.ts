/** `sallyport status`: what the running gateway says of itself. */
import type { Command } from 'commander';
import { findOptions, helpEnd } from '../command.ts';
import type { FindOptions } from '../command.ts';
import { EXIT } from '../exit.ts';
import { findPlaces } from '../find.ts';
import { ask } from '../gateway-client.ts';
import { out, outJson, table } from '../terminal.ts';

interface Options extends FindOptions {
  readonly json?: true;
}

export function status(root: Command, done: (code: number) => void): void {
  const command = findOptions(
    root
      .command('status')
      .summary('show the running gateway')
      .description('Shows the running gateway: its servers with their state and era, sessions, and what is open.'),
  )
    .option('--json', 'print it as JSON')
    .action(async (options: Options) => done(await show(options)));
  helpEnd(command, {
    examples: ['sallyport status', 'sallyport status --json'],
    exits: [EXIT.ok, EXIT.problem, EXIT.usage, EXIT.noGateway],
  });
}

async function show(options: Options): Promise<number> {
  const told = await runningStatus(options);
  if (options.json) outJson(told);
  else out(statusText(told));
  return EXIT.ok;
}

/** @throws NoGateway when none is running, Error when it does not answer as a gateway does */
export async function runningStatus(options: FindOptions): Promise<Record<string, unknown>> {
  const answer = await ask(await findPlaces(options), { method: 'GET', path: '/admin/v1/status' });
  if (answer.status !== 200)
    throw new Error(`the gateway answered ${answer.status} to /admin/v1/status: ${answer.text.slice(0, 200)}`);
  return JSON.parse(answer.text) as Record<string, unknown>;
}

/** `servers` becomes a table; everything else is a line each. */
export function statusText({ servers, ...rest }: Record<string, unknown>): string {
  const lines = table(Object.entries(rest).map(([key, value]) => [key, plain(value)]));
  if (!Array.isArray(servers)) return lines;
  const columns = ['server', 'state', 'era', 'version', 'connections', 'inFlight', 'restarts', 'breaker', 'lastError'];
  const rows = servers.map((server: Record<string, unknown>) => columns.map((column) => plain(server[column])));
  return rows.length === 0 ? `${lines}\n\nno servers are configured` : `${lines}\n\n${table([columns, ...rows])}`;
}

function plain(value: unknown): string {
  if (value === undefined || value === null) return '-';
  if (Array.isArray(value)) return value.map(plain).join(', ');
  if (typeof value !== 'object') return typeof value === 'string' ? value : JSON.stringify(value);
  if ('parts' in value) return health(value as Health);
  return Object.values(value).map(plain).join(' ');
}

interface Health {
  readonly ready: boolean;
  readonly parts: readonly { readonly part: string; readonly state: string; readonly detail?: string }[];
}

/** Parts that are live need no words. */
function health({ ready, parts }: Health): string {
  const ailing = parts.filter(({ state }) => state !== 'live');
  return [
    ready ? 'ready' : 'not ready',
    ...ailing.map(({ part, state, detail }) => `${part} is ${state}: ${detail}`),
  ].join(', ');
}
