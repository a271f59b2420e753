/** A whole policy set: files, rules and cases, read, checked in a throw-away thread, and taken only when all of it is right. */
import { globSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { casesOf, resultLine, type CaseResult } from './cases.ts';
import { problemLine, type Compiled, type PolicyProblem } from './compiled.ts';
import type { PolicyText } from './compile.ts';
import { cedarOf } from './rules.ts';
import type { Known } from './schema.ts';
import type { Settings } from './settings.ts';
import { compileApart } from './thread.ts';

export interface PolicySet {
  readonly rules: readonly Compiled[];
  /** What keeps the set from being loaded. */
  readonly problems: readonly PolicyProblem[];
  readonly warnings: readonly PolicyProblem[];
  readonly results: readonly CaseResult[];
  /** Texts of the set, that of the short rules among them. */
  readonly texts: readonly PolicyText[];
}

/** Where short rules are shown to stand, once they are Cedar. */
export const RULES = 'rules';

export interface Sources {
  readonly policies: readonly PolicyText[];
  readonly cases: readonly PolicyText[];
  readonly problems: readonly PolicyProblem[];
}

/** Reads everything that the settings name. @param base the folder that relative paths start from */
export function sourcesOf({ files, tests, rules }: Settings, base: string): Sources {
  const policies = files.flatMap((pattern) => matching(pattern, base));
  const cases = tests.flatMap((pattern) => matching(pattern, base));
  const problems = [...files, ...tests]
    .filter((pattern) => matching(pattern, base).length === 0)
    .map((file) => ({ place: { file, line: 1, column: 1 }, message: 'there is no such file' }));
  const read = (path: string): PolicyText => ({ file: shown(path, base), text: readFileSync(path, 'utf8') });
  const short = rules.length === 0 ? [] : [{ file: RULES, text: cedarOf(rules) }];
  return {
    policies: [...new Set(policies)].map(read).concat(short),
    cases: [...new Set(cases)].map(read),
    problems,
  };
}

/** Absolute paths of all files that the settings name now. */
export function filesOf({ files, tests }: Settings, base: string): string[] {
  return [...new Set([...files, ...tests].flatMap((pattern) => matching(pattern, base)))];
}

function matching(pattern: string, base: string): string[] {
  return globSync(pattern, { cwd: base })
    .map((path) => resolve(base, path))
    .sort();
}

function shown(path: string, base: string): string {
  const below = relative(base, path);
  return below.startsWith('..') ? path : below;
}

export async function loadSet(settings: Settings, sources: Sources, known: Known | undefined): Promise<PolicySet> {
  const read = sources.cases.map(casesOf);
  const early = [...sources.problems, ...read.flatMap(({ problems }) => problems)];
  const { roles, zone, calendars } = settings;
  const cases = read.flatMap((one) => one.cases);
  const answer = await compileApart({
    texts: sources.policies,
    known,
    cases,
    roles,
    calendar: { zone, days: calendars },
  });
  const strict = settings.strict ? answer.warnings : [];
  return { ...answer, texts: sources.policies, problems: [...early, ...answer.problems, ...strict] };
}

/** Everything that is wrong with a set, a line each; empty: it may be put in force. */
export function faultsOf({ problems, results }: PolicySet): string[] {
  return [...problems.map(problemLine), ...results.filter(({ ok }) => !ok).map(resultLine)];
}
