/** `sallyport policy show`: the policies in force as Cedar, short rules written out. */
import type { Command } from 'commander';
import { helpEnd } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { err, out, outJson } from '../../terminal.ts';
import { policiesOf, policyOptions, type PolicyOptions } from './policies.ts';

export function show(root: Command, done: (code: number) => void): void {
  const command = policyOptions(
    root
      .command('show')
      .summary('show the policies as Cedar')
      .description(
        'Shows all policies as Cedar, with the name under which each appears in records. Short rules are written out.',
      ),
  ).action(async (options: PolicyOptions) => done(await showPolicies(options)));
  helpEnd(command, { examples: ['sallyport policy show'], exits: [EXIT.ok, EXIT.problem, EXIT.usage] });
}

async function showPolicies({ config, json }: PolicyOptions): Promise<number> {
  const policies = await policiesOf(config);
  if (!policies) return EXIT.problem;
  const { problemLine } = await import('../../../components/policy/cedar/compiled.ts');
  const { rules, problems } = policies.set;
  for (const problem of problems) err(problemLine(problem));
  if (json) outJson(rules.map(({ name, effect, hold, text }) => ({ name, effect, hold, text })));
  else out(rules.map(({ name, text }) => `// ${name}\n${text}\n`).join('\n'));
  return problems.length === 0 ? EXIT.ok : EXIT.problem;
}
