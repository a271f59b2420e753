/** `sallyport policy explain`: what would become of one request, which policies decide it, and why nothing permits it. */
import type { Command } from 'commander';
import type { Explained, Fit } from '../../../components/policy/cedar/explain.ts';
import { helpEnd } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { err, out, outJson, table } from '../../terminal.ts';
import { asJson, askedCase, askOptions, type AskOptions } from './asking.ts';
import { policiesOf } from './policies.ts';

interface Options extends AskOptions {
  readonly action?: string;
  readonly list?: true;
}

export function explain(root: Command, done: (code: number) => void): void {
  const command = askOptions(
    root
      .command('explain')
      .summary('say why a request is permitted or not')
      .description('Says what would become of one request, which policies decide it, and how near the others come.')
      .argument('[tool]', 'the tool, as `server/tool`'),
  )
    .option('--arguments <json>', 'the arguments of the call', asJson)
    .option('--facts <json>', 'facts that inspection would find', asJson)
    .option('--list', 'may it be listed, with arguments unknown?')
    .option('--action <name>', 'another action than calling a tool, such as admin.status')
    .action(async (tool: string | undefined, options: Options) => done(await explainRequest(tool, options)));
  helpEnd(command, {
    examples: [
      `sallyport policy explain db/read --agent claude --group analysts --arguments '{"table":"customers"}'`,
      'sallyport policy explain --action admin.status --person ada',
    ],
    exits: [EXIT.ok, EXIT.problem, EXIT.usage, EXIT.refused],
  });
}

async function explainRequest(tool: string | undefined, options: Options): Promise<number> {
  const asked = await askedCase(askedFor(tool, options), options);
  const policies = await policiesOf(options.config);
  if (!policies) return EXIT.problem;
  const [{ Trial }, { effectOf, orderOf }, { problemLine }] = await Promise.all([
    import('../../../components/policy/cedar/explain.ts'),
    import('../../../components/policy/cedar/cases.ts'),
    import('../../../components/policy/cedar/compiled.ts'),
  ]);
  for (const problem of policies.set.problems) err(problemLine(problem));
  if (policies.set.problems.length > 0) return EXIT.problem;
  const explained = new Trial(policies.set.rules, policies.settings).explain(asked.question, asked.listing);
  const { decision } = explained;
  const effect = effectOf(decision);
  const orders = decision.effect === 'permit' ? decision.obligations.map(orderOf) : [];
  if (options.json) outJson({ effect, orders, ...explained });
  else out([headline(effect, explained), ...orders.map((order) => `  order: ${order}`), ...near(explained)].join('\n'));
  return effect === 'permit' ? EXIT.ok : EXIT.refused;
}

function askedFor(tool: string | undefined, { action, list }: Options): object {
  if (action !== undefined) return { action };
  return list ? { list: tool } : { call: tool };
}

function headline(effect: string, { decision }: Explained): string {
  if (decision.effect === 'silence') return `${effect}: no policy permits it`;
  return `${effect}: ${decision.rules.join(', ')}`;
}

const MEANS: Readonly<Record<Fit, string>> = {
  decided: 'decides',
  conditions: 'fits, but its conditions do not hold',
  principal: 'is about somebody else',
  action: 'is about another action',
  resource: 'is about something else',
};

function near({ policies }: Explained): string[] {
  if (policies.length === 0) return ['  no policy comes near'];
  return [table(policies.map(({ name, effect, fit }) => ['', effect, name, MEANS[fit]]))];
}
