/** `sallyport check`: is the configuration valid? */
import type { Command } from 'commander';
import { CONFIG_HELP, configFile, helpEnd } from '../command.ts';
import { EXIT } from '../exit.ts';
import { err, outJson } from '../terminal.ts';

export function check(root: Command, done: (code: number) => void): void {
  const command = root
    .command('check')
    .summary('check a configuration')
    .description(
      'Checks a configuration and starts nothing. Says every problem at once, with line, column and remedy; says nothing when there is none.',
    )
    .argument('[file]', CONFIG_HELP)
    .option('--json', 'print the result as JSON')
    .action(async (file: string | undefined, options: { json?: true }) =>
      done(await checkFile(configFile(file), options.json === true)),
    );
  helpEnd(command, {
    examples: ['sallyport check', 'sallyport check deploy/sallyport.yaml --json'],
    exits: [EXIT.ok, EXIT.problem, EXIT.usage],
  });
}

async function checkFile(file: string, json: boolean): Promise<number> {
  const [{ loadConfig }, { problemText }, { COMPONENTS }] = await Promise.all([
    import('../../config/load.ts'),
    import('../../config/problem.ts'),
    import('../../components/components.ts'),
  ]);
  const result = await loadConfig(file, COMPONENTS);
  if (json) outJson(result.ok ? { ok: true, digest: result.digest } : { ok: false, problems: result.problems });
  else if (!result.ok) err(result.problems.map(problemText).join('\n'));
  return result.ok ? EXIT.ok : EXIT.problem;
}
