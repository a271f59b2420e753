/** `sallyport explain`: what would be in force, and which part acts where. */
import type { Command } from 'commander';
import { CONFIG_HELP, configFile, helpEnd } from '../command.ts';
import { EXIT } from '../exit.ts';
import { err, out, outJson } from '../terminal.ts';

interface Options {
  readonly config?: string;
  readonly json?: true;
}

export function explain(root: Command, done: (code: number) => void): void {
  const command = root
    .command('explain')
    .summary('show what is in force')
    .description(
      'Shows every setting with where it came from, and for each stage of both crossings the part that acts in it. Secrets are shown as references.',
    )
    .option('--config <file>', CONFIG_HELP)
    .option('--json', 'print it as JSON')
    .action(async (options: Options) => done(await explainFile(options)));
  helpEnd(command, {
    examples: ['sallyport explain', 'sallyport explain --json | jq .inward'],
    exits: [EXIT.ok, EXIT.problem, EXIT.usage],
  });
}

async function explainFile({ config, json }: Options): Promise<number> {
  const [{ loadConfig }, { problemText }, { explain: explained, explanationText }, { COMPONENTS }] = await Promise.all([
    import('../../config/load.ts'),
    import('../../config/problem.ts'),
    import('../../config/explain.ts'),
    import('../../components/components.ts'),
  ]);
  const result = await loadConfig(configFile(config), COMPONENTS);
  if (!result.ok) {
    err(result.problems.map(problemText).join('\n'));
    return EXIT.problem;
  }
  const explanation = explained(result);
  if (json) outJson(explanation);
  else out(explanationText(explanation));
  return EXIT.ok;
}
