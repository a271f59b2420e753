/** `sallyport policy test`: do the policies answer as their tests expect? */
import type { Command } from 'commander';
import { helpEnd } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { err, out, outJson } from '../../terminal.ts';
import { policiesOf, policyOptions, type PolicyOptions } from './policies.ts';

export function test(root: Command, done: (code: number) => void): void {
  const command = policyOptions(
    root
      .command('test')
      .summary('run the tests beside the policies')
      .description('Runs the cases that `policy.tests` names. A gateway does not take policies that fail them.'),
  ).action(async (options: PolicyOptions) => done(await testPolicies(options)));
  helpEnd(command, { examples: ['sallyport policy test'], exits: [EXIT.ok, EXIT.problem, EXIT.usage] });
}

async function testPolicies({ config, json }: PolicyOptions): Promise<number> {
  const policies = await policiesOf(config);
  if (!policies) return EXIT.problem;
  const [{ problemLine }, { resultLine }] = await Promise.all([
    import('../../../components/policy/cedar/compiled.ts'),
    import('../../../components/policy/cedar/cases.ts'),
  ]);
  const { problems, results } = policies.set;
  const failed = results.filter(({ ok }) => !ok);
  for (const line of [...problems.map(problemLine), ...failed.map(resultLine)]) err(line);
  const passed = results.length - failed.length;
  if (json) outJson({ passed, failed: failed.length, problems: problems.map(problemLine), results });
  else out(`${passed} passed, ${failed.length} failed`);
  return failed.length + problems.length === 0 ? EXIT.ok : EXIT.problem;
}
