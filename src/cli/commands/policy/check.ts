/** `sallyport policy check`: are the policies valid, and do they mean tools that exist? */
import type { Command } from 'commander';
import { helpEnd } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { err, outJson } from '../../terminal.ts';
import { policiesOf, policyOptions, type PolicyOptions } from './policies.ts';

interface Options extends PolicyOptions {
  readonly strict?: true;
}

export function check(root: Command, done: (code: number) => void): void {
  const command = policyOptions(
    root
      .command('check')
      .summary('check policies')
      .description(
        'Checks policies against the arguments of the tools that the gateway has seen, and runs their tests. Says every problem with line and column; says nothing when there is none.',
      ),
  )
    .option('--strict', 'tools that were never seen, and arguments that cannot be checked, are problems too')
    .action(async (options: Options) => done(await checkPolicies(options)));
  helpEnd(command, {
    examples: ['sallyport policy check', 'sallyport policy check --strict --json'],
    exits: [EXIT.ok, EXIT.problem, EXIT.usage],
  });
}

async function checkPolicies({ config, strict, json }: Options): Promise<number> {
  const policies = await policiesOf(config);
  if (!policies) return EXIT.problem;
  const [{ faultsOf }, { problemLine }] = await Promise.all([
    import('../../../components/policy/cedar/load.ts'),
    import('../../../components/policy/cedar/compiled.ts'),
  ]);
  const warnings = policies.set.warnings.map(problemLine);
  const problems = [...faultsOf(policies.set), ...(strict ? warnings : [])];
  const ok = problems.length === 0;
  if (json) outJson({ ok, policies: policies.set.rules.length, problems, warnings });
  else for (const line of new Set([...problems, ...warnings])) err(line);
  return ok ? EXIT.ok : EXIT.problem;
}
