/** `sallyport agent`: the registry of agents. */
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { administer, cell, collected, segment } from '../admin-client.ts';
import type { AdminOptions } from '../admin-client.ts';
import { findOptions, helpEnd } from '../command.ts';
import { EXIT } from '../exit.ts';
import { table } from '../terminal.ts';

type Done = (code: number) => void;
type Proof = Readonly<Record<string, string>>;

interface Members {
  readonly owner?: string;
  readonly description?: string;
  readonly proof?: readonly Proof[];
  readonly group?: readonly string[];
  readonly server?: readonly string[];
  readonly expires?: string;
}

const EXITS = [EXIT.ok, EXIT.problem, EXIT.usage, EXIT.noGateway, EXIT.refused];

export function agent(root: Command, done: Done): void {
  const group = root
    .command('agent')
    .summary('register, suspend and list agents')
    .description('The registry of agents: who may come with which proof, for whom, how far, until when.');
  list(group, done);
  show(group, done);
  add(group, done);
  edit(group, done);
  state(
    group,
    done,
    'suspend',
    'stop an agent at once',
    'Suspends an agent: nothing of it goes on, and what it has open ends at once, on every replica.',
  );
  state(
    group,
    done,
    'quarantine',
    'let an agent list, and nothing else',
    'Puts an agent into quarantine: it may list, and nothing else.',
  );
  state(group, done, 'resume', 'let an agent go on', 'Lets a suspended agent, or one in quarantine, go on.');
  remove(group, done);
}

function command(group: Command, name: string, summary: string, description: string): Command {
  return findOptions(group.command(name).summary(summary).description(description)).option(
    '--json',
    'print the answer as JSON',
  );
}

function list(group: Command, done: Done): void {
  const made = command(group, 'list', 'list agents', 'Lists all registered agents.').action(
    async (options: AdminOptions) =>
      done(
        await administer(options, { method: 'GET', path: '/agents' }, ({ agents }) => agentTable(agents as Agent[])),
      ),
  );
  helpEnd(made, { examples: ['sallyport agent list', 'sallyport agent list --json'], exits: EXITS });
}

function show(group: Command, done: Done): void {
  const made = command(group, 'show', 'show an agent', 'Shows one agent.')
    .argument('<name>', 'its name')
    .action(async (name: string, options: AdminOptions) =>
      done(await administer(options, { method: 'GET', path: `/agents/${segment(name)}` }, agentText)),
    );
  helpEnd(made, { examples: ['sallyport agent show claude'], exits: EXITS });
}

function members(given: Command): Command {
  return given
    .option('--owner <who>', 'who answers for it: a person or a team')
    .option('--description <text>', 'what it is for')
    .option(
      '--proof <proof>',
      'a proof that makes a caller this agent, as `use=api-key,subject=ci`; more with more --proof',
      addProof,
    )
    .option('--group <groups>', 'groups that policy sees; a list, or more --group', collected)
    .option('--server <servers>', 'servers that it may use at all; a list, or more --server', collected)
    .option('--expires <time>', 'when its registration ends, such as 2027-01-31T12:00:00Z');
}

function add(group: Command, done: Done): void {
  const made = members(
    command(group, 'add', 'register an agent', 'Registers an agent.').argument('<name>', 'its name'),
  ).action(async (name: string, options: AdminOptions & Members) =>
    done(await administer(options, { method: 'POST', path: '/agents', body: { name, ...given(options) } }, agentText)),
  );
  const examples = [
    'sallyport agent add ci --owner platform --proof use=api-key,subject=ci --server files',
    'sallyport agent add claude --owner ada --proof use=oauth,issuer=https://login.example.com,agent=claude-code',
  ];
  helpEnd(made, { examples, exits: EXITS });
}

function edit(group: Command, done: Done): void {
  const made = members(
    command(
      group,
      'edit',
      'change an agent',
      'Changes what is named, and leaves the rest. `none` takes a description, the servers or the end away.',
    ).argument('<name>', 'its name'),
  ).action(async (name: string, options: AdminOptions & Members) =>
    done(
      await administer(
        options,
        { method: 'PATCH', path: `/agents/${segment(name)}`, body: given(options, true) },
        agentText,
      ),
    ),
  );
  helpEnd(made, { examples: ['sallyport agent edit ci --group readers --expires none'], exits: EXITS });
}

function state(group: Command, done: Done, verb: string, summary: string, description: string): void {
  const made = command(group, verb, summary, description)
    .argument('<name>', 'its name')
    .option('--why <text>', 'why, for whoever looks later')
    .action(async (name: string, options: AdminOptions & { readonly why?: string }) =>
      done(
        await administer(
          options,
          {
            method: 'POST',
            path: `/agents/${segment(name)}/${verb}`,
            body: options.why === undefined ? {} : { why: options.why },
          },
          agentText,
        ),
      ),
    );
  helpEnd(made, { examples: [`sallyport agent ${verb} ci`], exits: EXITS });
}

function remove(group: Command, done: Done): void {
  const made = command(
    group,
    'remove',
    'remove an agent',
    'Removes an agent from the registry: its callers are unknown then.',
  )
    .argument('<name>', 'its name')
    .action(async (name: string, options: AdminOptions) =>
      done(await administer(options, { method: 'DELETE', path: `/agents/${segment(name)}` }, () => `removed ${name}`)),
    );
  helpEnd(made, { examples: ['sallyport agent remove ci'], exits: EXITS });
}

/** `use=mtls,issuer=spiffe://example.org,subject=spiffe://example.org/ci` */
function addProof(text: string, before: readonly Proof[] = []): readonly Proof[] {
  const pairs = text.split(/,(?=(?:use|issuer|subject|agent)=)/).map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1)
      throw new InvalidArgumentError('It must be use=…, and issuer=…, subject=…, agent=… as far as they count.');
    return [pair.slice(0, at), pair.slice(at + 1)] as const;
  });
  return [...before, Object.fromEntries(pairs)];
}

function given({ owner, description, proof, group, server, expires }: Members, edits = false): object {
  const orNone = <T>(value: T, text: unknown): T | null => (edits && text === 'none' ? null : value);
  const all = {
    owner,
    description: orNone(description, description),
    proofs: proof,
    groups: group,
    servers: orNone(server, server?.[0]),
    expires: orNone(expires, expires),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

interface Agent {
  readonly [member: string]: unknown;
  readonly proofs: readonly Proof[];
}

const COLUMNS = ['name', 'state', 'owner', 'groups', 'servers', 'expires'];

function agentTable(agents: readonly Agent[]): string {
  if (agents.length === 0) return 'no agents are registered';
  return table([COLUMNS, ...agents.map((one) => COLUMNS.map((column) => cell(one[column])))]);
}

function agentText(told: Readonly<Record<string, unknown>>): string {
  const { proofs, ...rest } = told as Agent;
  const lines = Object.entries(rest).map(([key, value]) => [key, cell(value)]);
  const shown = proofs.map((proof) => [
    'proof',
    Object.entries(proof)
      .map((pair) => pair.join('='))
      .join(','),
  ]);
  return table([...lines, ...shown]);
}
