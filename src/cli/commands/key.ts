/** `sallyport key`: API keys. */
import type { Command } from 'commander';
import { administer, cell, collected, segment } from '../admin-client.ts';
import type { AdminOptions } from '../admin-client.ts';
import { findOptions, helpEnd } from '../command.ts';
import { EXIT } from '../exit.ts';
import { err, table } from '../terminal.ts';

type Done = (code: number) => void;

interface Scope {
  readonly owner?: string;
  readonly agent?: string;
  readonly group?: readonly string[];
  readonly server?: readonly string[];
  readonly action?: readonly string[];
  readonly expires?: string;
}

const EXITS = [EXIT.ok, EXIT.problem, EXIT.usage, EXIT.noGateway, EXIT.refused];

export function key(root: Command, done: Done): void {
  const group = root
    .command('key')
    .summary('make, rotate and revoke API keys')
    .description('API keys, for programs that can keep nothing better. They need `- use: api-key` under `identity`.');
  create(group, done);
  list(group, done);
  rotate(group, done);
  revoke(group, done);
}

function command(group: Command, name: string, summary: string, description: string): Command {
  return findOptions(group.command(name).summary(summary).description(description)).option(
    '--json',
    'print the answer as JSON',
  );
}

function create(group: Command, done: Done): void {
  const made = command(group, 'create', 'make a key', 'Makes a key and prints it, this once: only its hash is kept.')
    .argument('<name>', 'its name: the subject that policy and records see')
    .option('--owner <who>', 'who answers for it: a person or a team')
    .option('--agent <agent>', 'the agent that it is for')
    .option('--group <groups>', 'groups that policy sees; a list, or more --group', collected)
    .option('--server <servers>', 'servers that it reaches; a list, or more --server', collected)
    .option('--action <actions>', 'actions that it reaches, such as `tool.*`; a list, or more --action', collected)
    .option('--expires <time>', 'when it ends, such as 2027-01-31T12:00:00Z')
    .action(async (name: string, options: AdminOptions & Scope) =>
      done(
        await administer(options, { method: 'POST', path: '/keys', body: { name, ...scopeOf(options) } }, shownOnce),
      ),
    );
  const examples = ['sallyport key create ci --owner platform --server files --action "tool.*"'];
  helpEnd(made, { examples, exits: EXITS });
}

function list(group: Command, done: Done): void {
  const made = command(
    group,
    'list',
    'list keys',
    'Lists all keys, without the keys themselves: nobody has those.',
  ).action(async (options: AdminOptions) =>
    done(await administer(options, { method: 'GET', path: '/keys' }, ({ keys }) => keyTable(keys as Key[]))),
  );
  helpEnd(made, { examples: ['sallyport key list'], exits: EXITS });
}

function rotate(group: Command, done: Done): void {
  const made = command(
    group,
    'rotate',
    'make another key under the same name',
    'Makes another key under the same name. The one before counts until the overlap is over.',
  )
    .argument('<name>', 'its name')
    .option('--overlap <duration>', 'how long the key before counts', '24h')
    .option('--expires <time>', 'when the new key ends')
    .action(
      async (name: string, { overlap, expires, ...options }: AdminOptions & { overlap: string; expires?: string }) => {
        const body = { overlap, ...(expires === undefined ? {} : { expires }) };
        done(await administer(options, { method: 'POST', path: `/keys/${segment(name)}/rotate`, body }, shownOnce));
      },
    );
  helpEnd(made, { examples: ['sallyport key rotate ci --overlap 1h'], exits: EXITS });
}

function revoke(group: Command, done: Done): void {
  const made = command(
    group,
    'revoke',
    'revoke keys',
    'Revokes all keys of a name, or one. What was opened with them ends at once, on every replica.',
  )
    .argument('<name>', 'its name')
    .option('--id <id>', 'one key only; `sallyport key list` names them')
    .action(async (name: string, options: AdminOptions & { id?: string }) => {
      const body = options.id === undefined ? {} : { id: options.id };
      const request = { method: 'POST', path: `/keys/${segment(name)}/revoke`, body } as const;
      done(await administer(options, request, () => `revoked ${name}`));
    });
  helpEnd(made, {
    examples: ['sallyport key revoke ci', 'sallyport key revoke ci --id 0123456789abcdef'],
    exits: EXITS,
  });
}

function scopeOf({ owner, agent, group, server, action, expires }: Scope): object {
  const all = { owner, agent, groups: group, servers: server, actions: action, expires };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** The key alone on standard output, so that it can go into a file or a variable. */
function shownOnce({ key: made, id }: Readonly<Record<string, unknown>>): string {
  err(`key ${cell(id)} is shown this once; keep it where secrets are kept`);
  return cell(made);
}

interface Key {
  readonly [member: string]: unknown;
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

const COLUMNS = ['name', 'id', 'owner', 'agent', 'servers', 'actions', 'created', 'expires', 'used'];

function keyTable(all: readonly Key[]): string {
  if (all.length === 0) return 'there are no keys';
  const rows = all.flatMap(({ keys, ...rest }) => keys.map((one) => ({ ...rest, ...one }) as Record<string, unknown>));
  return table([COLUMNS, ...rows.map((row) => COLUMNS.map((column) => cell(row[column])))]);
}
