/** What commands have in common: examples and exit codes in their help, options that several take. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { defaultData } from '../config/places.ts';
import { EXIT_MEANING } from './exit.ts';

interface HelpEnd {
  readonly examples: readonly string[];
  readonly exits: readonly number[];
}

const ends = new WeakMap<Command, HelpEnd>();

/** Adds examples and exit codes to a command's help. */
export function helpEnd(command: Command, end: HelpEnd): Command {
  ends.set(command, end);
  return command.addHelpText('after', () => `\n${helpEndText(command)}`);
}

export function helpEndText(command: Command): string {
  const { examples, exits } = ends.get(command) ?? { examples: [], exits: [] };
  const codes = exits.map((code) => `  ${code}  ${EXIT_MEANING[code]}`);
  return ['Examples:', ...examples.map((line) => `  $ ${line}`), '', 'Exit codes:', ...codes].join('\n');
}

export interface FindOptions {
  readonly config?: string;
  readonly data?: string;
}

/** For commands that talk to a running gateway: where its folder is. */
export function findOptions(command: Command): Command {
  return command
    .option(
      '--data <folder>',
      "the gateway's own folder (default: that of the configuration, $SALLYPORT_DATA, ~/.sallyport)",
    )
    .option('--config <file>', CONFIG_HELP);
}

const NAME = 'sallyport.yaml';

export const CONFIG_HELP = `the configuration (default: ${NAME} here, else in $SALLYPORT_DATA or ~/.sallyport)`;

/** The file that is meant: agents start the gateway from anywhere, so the gateway's own folder is looked into as well. */
export function configFile(given: string | undefined): string {
  const own = join(defaultData(process.env), NAME);
  return given ?? (!existsSync(NAME) && existsSync(own) ? own : NAME);
}
