/** What is in force: every value with where it came from, and which part acts in which stage of both crossings. */
import { INWARD, OUTWARD } from '../gateway/pipeline.ts';
import type { StageName, StageRow } from '../gateway/pipeline.ts';
import type { Config } from './config.ts';
import { shownTree } from './effective.ts';
import { valueAt } from './faults.ts';
import type { Loaded } from './load.ts';
import { pathText } from './problem.ts';

export interface Setting {
  /** `servers.files.command` */
  readonly path: string;
  /** As written; references stay references, literal secrets are hidden. */
  readonly value: unknown;
  /** `sallyport.yaml:4:11` or `default` */
  readonly origin: string;
}

export interface StageInForce {
  readonly stage: StageName;
  readonly act: StageRow['act'];
  readonly kinds: StageRow['kinds'];
  /** `identity/local`, in the order in which they act; undefined: no part, the gateway itself acts. */
  readonly parts: readonly string[] | undefined;
  /** Observe mode: refusals of this stage are recorded and not carried out. */
  readonly observed: boolean;
}

export interface Explanation {
  readonly mode: Config['mode'];
  readonly digest: string;
  readonly settings: readonly Setting[];
  readonly inward: readonly StageInForce[];
  readonly outward: readonly StageInForce[];
}

export function explain({ config, effective, digest }: Loaded): Explanation {
  const inForce = (rows: readonly StageRow[]) => rows.map((row) => stageInForce(row, config));
  const settings = leaves(shownTree(effective.tree)).map(([path, value]) => {
    const name = pathText(path);
    return { path: name, value, origin: effective.origins.get(name) ?? 'default' };
  });
  return { mode: config.mode, digest, settings, inward: inForce(INWARD), outward: inForce(OUTWARD) };
}

function stageInForce({ stage, act, kinds, observable }: StageRow, config: Config): StageInForce {
  return { stage, act, kinds, parts: partsOf(stage, config), observed: observable && config.mode === 'observe' };
}

/** Which parts a stage asks; none where none is configured, undefined where the work is the gateway's own. */
function partsOf(stage: StageName, config: Config): string[] | undefined {
  const names = (...parts: readonly (Config['risk'] | undefined)[]) =>
    parts.flatMap((part) => (part ? [`${part.component.kind}/${part.component.use}`] : []));
  switch (stage) {
    case 'authenticate':
      return names(...config.identity);
    case 'throttle':
    case 'limit':
      return names(...config.limits);
    case 'inspect':
      return names(...config.inspect);
    case 'authorize':
      return names(config.risk, config.policy);
    case 'authorizeRelease':
      return names(config.policy);
    case 'credential':
      return [...new Set(names(...config.servers.map(({ credentials }) => credentials)))];
    case 'redact':
      return names(...config.redact);
    case 'keep':
      return names(config.audit);
    case 'head':
    case 'read':
    case 'correlate':
    case 'resolve':
    case 'admit':
    case 'validate':
    case 'approve':
    case 'forward':
    case 'match':
    case 'label':
    case 'release':
      return undefined;
  }
}

type Leaf = readonly [path: readonly (string | number)[], value: unknown];

function leaves(tree: unknown, path: readonly (string | number)[] = []): Leaf[] {
  if (typeof tree !== 'object' || tree === null) return [[path, tree]];
  const children = Array.isArray(tree) ? [...tree.keys()] : Object.keys(tree);
  if (children.length === 0) return path.length === 0 ? [] : [[path, tree]];
  return children.flatMap((step) => leaves(valueAt(tree, [step]), [...path, step]));
}

/** For people; `NO_COLOR` needs no thought here, the text has none. */
export function explanationText(explanation: Explanation): string {
  const { mode, digest, settings, inward, outward } = explanation;
  const head = [
    `mode ${mode}${mode === 'observe' ? ': would-verdicts are recorded and not carried out' : ''}`,
    `digest ${digest}`,
  ];
  const values = table(settings.map(({ path, value, origin }) => [path, JSON.stringify(value), origin]));
  return [
    ...head,
    '',
    'Settings in force, and where each came from',
    ...values,
    '',
    'Inward: from the agent to the server',
    ...stageLines(inward),
    '',
    'Outward: from the server to the agent',
    ...stageLines(outward),
  ].join('\n');
}

function stageLines(stages: readonly StageInForce[]): string[] {
  return table(
    stages.map(({ stage, act, kinds, parts, observed }) => [
      stage,
      act,
      kinds.join(' '),
      `${actors(parts)}${observed ? ' (observed only)' : ''}`,
    ]),
  );
}

function actors(parts: readonly string[] | undefined): string {
  if (parts === undefined) return 'the gateway itself';
  return parts.length > 0 ? parts.join(', ') : 'nobody: no part is configured';
}

/** Lines of columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(Math.min(48, widths[column]!))).join('  ')}`.trimEnd(),
  );
}
