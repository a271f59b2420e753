/** `sallyport doctor`: what is wrong here, and what to do about it. */
import type { Command } from 'commander';
import { CONFIG_HELP, configFile, helpEnd } from '../command.ts';
import { EXIT } from '../exit.ts';
import type { Finding } from '../doctor/finding.ts';
import { coloured, out, outJson } from '../terminal.ts';

interface Options {
  readonly config?: string;
  readonly json?: true;
}

export function doctor(root: Command, done: (code: number) => void): void {
  const command = root
    .command('doctor')
    .summary('find what is wrong')
    .description(
      'Looks at the Node.js in use, the configuration, the rights of the data folder and the token, the running gateway with its parts and servers, and names unsafe settings. Each finding says what to do. Changes nothing.',
    )
    .option('--config <file>', CONFIG_HELP)
    .option('--json', 'print the findings as JSON')
    .action(async (options: Options) => done(await examine(options)));
  helpEnd(command, {
    examples: ['sallyport doctor', 'sallyport doctor --config deploy/sallyport.yaml --json'],
    exits: [EXIT.ok, EXIT.problem, EXIT.usage],
  });
}

async function examine({ config, json }: Options): Promise<number> {
  const { findings } = await import('../doctor/findings.ts');
  const found = await findings(configFile(config));
  if (json) outJson(found);
  else out(found.map(line).join('\n'));
  return found.some(({ state }) => state === 'wrong') ? EXIT.problem : EXIT.ok;
}

const MARKS = { fine: ['green', '✔'], unsafe: ['yellow', '!'], wrong: ['red', '✖'] } as const;

function line({ state, what, detail, remedy }: Finding): string {
  const [colour, mark] = MARKS[state];
  const head = `${coloured(colour, `${mark} ${state.padEnd(6)}`)} ${what}${detail === undefined ? '' : `: ${detail}`}`;
  return remedy === undefined ? head : `${head}\n           → ${remedy}`;
}
