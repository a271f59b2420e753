/** `sallyport policy …`: what the policies of a configuration say, tried without a gateway. */
import type { Command } from 'commander';
import { check } from './check.ts';
import { diff } from './diff.ts';
import { explain } from './explain.ts';
import { show } from './show.ts';
import { simulate } from './simulate.ts';
import { test } from './test.ts';

export const POLICY_COMMANDS = [check, test, explain, show, simulate, diff] as const;

export function policy(root: Command, done: (code: number) => void): void {
  const command = root
    .command('policy')
    .summary('check, test and explain policies')
    .description('Checks, tests, explains and compares the policies of a configuration. No gateway needs to run.');
  for (const add of POLICY_COMMANDS) add(command, done);
}
