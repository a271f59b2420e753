/** A question from the command line, in the words of the tests beside policies. */
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { Case } from '../../../components/policy/cedar/cases.ts';
import { policyOptions, type PolicyOptions } from './policies.ts';

export interface AskOptions extends PolicyOptions {
  readonly agent?: string;
  readonly person?: string;
  readonly group?: readonly string[];
  readonly arguments?: unknown;
  readonly facts?: unknown;
  readonly at?: string;
  readonly from?: string;
  readonly label?: readonly string[];
  readonly risk?: string;
}

export function askOptions(command: Command): Command {
  return policyOptions(command)
    .option('--agent <name>', 'the agent that asks')
    .option('--person <name>', 'the person behind it')
    .option('--group <name>', 'a group of the caller; may be given again', also)
    .option('--at <time>', 'when, such as 2026-11-20T10:00:00+01:00 (default: now)')
    .option('--from <address>', 'the IP address that the caller comes from')
    .option('--label <name>', 'what the run has seen; may be given again', also)
    .option('--risk <score>', 'the risk, 0 to 100');
}

function also(one: string, before: readonly string[] = []): readonly string[] {
  return [...before, one];
}

export function asJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new InvalidArgumentError('It must be JSON.');
  }
}

/** Throws with what is wrong. */
export async function askedCase(what: object, options: AskOptions): Promise<Case> {
  const { caseOf, policyCase } = await import('../../../components/policy/cedar/cases.ts');
  const { agent, person, group, arguments: args, facts, at, from, label, risk } = options;
  const written = present({ arguments: args, facts, at: at ?? new Date().toISOString(), from, labels: label });
  const as = present({ agent, person, groups: group });
  const score = risk === undefined ? {} : { risk: Number(risk) };
  const read = policyCase.safeParse({ name: 'asked', as, ...what, ...written, ...score, expect: 'permit' });
  if (read.success) return caseOf(read.data, 'asked', 1);
  throw new Error(read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n'));
}

function present(value: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined));
}
