/** `sallyport policy simulate`: what may somebody do with every tool that the gateway has seen? */
import type { Command } from 'commander';
import { helpEnd } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { err, out, outJson, table } from '../../terminal.ts';
import { askedCase, askOptions, type AskOptions } from './asking.ts';
import { policiesOf } from './policies.ts';

export function simulate(root: Command, done: (code: number) => void): void {
  const command = askOptions(
    root
      .command('simulate')
      .summary('say what a caller may do')
      .description(
        'Says for every tool that the gateway has seen whether it would be listed to a caller, and which policies decide that.',
      )
      .argument('[tools...]', 'these tools instead, as `server/tool`'),
  ).action(async (tools: readonly string[], options: AskOptions) => done(await simulateCaller(tools, options)));
  helpEnd(command, {
    examples: ['sallyport policy simulate --agent claude --group analysts'],
    exits: [EXIT.ok, EXIT.problem, EXIT.usage],
  });
}

async function simulateCaller(tools: readonly string[], options: AskOptions): Promise<number> {
  const policies = await policiesOf(options.config);
  if (!policies) return EXIT.problem;
  const { Trial } = await import('../../../components/policy/cedar/explain.ts');
  const trial = new Trial(policies.set.rules, policies.settings);
  const names = tools.length > 0 ? tools : (policies.known?.tools ?? []).map(({ server, name }) => `${server}/${name}`);
  if (names.length === 0) err('the gateway has seen no tool yet: name some');
  const rows = await Promise.all(
    names.map(async (tool) => {
      const { question } = await askedCase({ list: tool }, options);
      const decision = trial.decide(question, true);
      const rules = decision.effect === 'silence' ? [] : decision.rules;
      return { tool, listed: decision.effect === 'permit', rules };
    }),
  );
  if (options.json) outJson(rows);
  else out(table(rows.map(({ tool, listed, rules }) => [tool, listed ? 'listed' : 'hidden', rules.join(', ')])));
  return EXIT.ok;
}
