/** `sallyport policy diff`: how two configurations differ in their policies, and in the answers to their tests. */
import type { Command } from 'commander';
import type { Compiled } from '../../../components/policy/cedar/compiled.ts';
import { helpEnd } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { err, out, outJson } from '../../terminal.ts';
import { policiesOf, type Policies } from './policies.ts';

export function diff(root: Command, done: (code: number) => void): void {
  const command = root
    .command('diff')
    .summary('compare the policies of two configurations')
    .description(
      'Says which policies were added, removed or changed, and which tests of either configuration have another answer.',
    )
    .argument('<before>', 'the configuration that is in force')
    .argument('<after>', 'the one that shall take its place')
    .option('--json', 'print it as JSON')
    .action(async (before: string, after: string, options: { json?: true }) =>
      done(await compare(before, after, options.json === true)),
    );
  helpEnd(command, {
    examples: ['sallyport policy diff sallyport.yaml draft/sallyport.yaml'],
    exits: [EXIT.ok, EXIT.problem, EXIT.usage],
  });
}

interface Change {
  readonly change: 'added' | 'removed' | 'changed';
  readonly policy: string;
}

async function compare(before: string, after: string, json: boolean): Promise<number> {
  const [old, young] = [await policiesOf(before), await policiesOf(after)];
  if (!old || !young) return EXIT.problem;
  const { problemLine } = await import('../../../components/policy/cedar/compiled.ts');
  const problems = [old, young].flatMap(({ set }) => set.problems.map(problemLine));
  for (const problem of problems) err(problem);
  const policies = changesOf(old.set.rules, young.set.rules);
  const answers = answersOf(old, young);
  if (json) outJson({ policies, answers, problems });
  else {
    for (const { change, policy } of policies) out(`${change} ${policy}`);
    for (const { name, before: was, after: is } of answers) out(`${JSON.stringify(name)}: ${was} → ${is}`);
  }
  return problems.length === 0 ? EXIT.ok : EXIT.problem;
}

/** By `@id` where there is one, else by the text itself. */
function changesOf(old: readonly Compiled[], young: readonly Compiled[]): Change[] {
  const byKey = (rules: readonly Compiled[]) => new Map(rules.map((rule) => [rule.id ?? rule.text, rule]));
  const [were, are] = [byKey(old), byKey(young)];
  const removed = [...were].filter(([key]) => !are.has(key)).map(([, rule]) => ({ change: 'removed' as const, rule }));
  const added = [...are].filter(([key]) => !were.has(key)).map(([, rule]) => ({ change: 'added' as const, rule }));
  const changed = [...are]
    .filter(([key, { text }]) => were.has(key) && were.get(key)?.text !== text)
    .map(([, rule]) => ({ change: 'changed' as const, rule }));
  return [...removed, ...added, ...changed].map(({ change, rule }) => ({ change, policy: rule.name }));
}

function answersOf(old: Policies, young: Policies): { name: string; before: string; after: string }[] {
  const were = new Map(old.set.results.map(({ name, effect }) => [name, effect]));
  return young.set.results
    .filter(({ name, effect }) => were.has(name) && were.get(name) !== effect)
    .map(({ name, effect }) => ({ name, before: were.get(name)!, after: effect }));
}
