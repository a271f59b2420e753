/** What can be taken away: each row of the pipeline, and each part of the box. Each removal changes one file of a copy. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMPONENTS } from '../src/components/components.ts';
import { INWARD, OUTWARD } from '../src/gateway/pipeline.ts';

export interface Removal {
  /** `inward:head`, or `identity/local`: as requirements name it. */
  readonly name: string;
  readonly of: 'stage' | 'component';
  /** The file that changes, below the root, and its text afterwards. */
  readonly file: string;
  readonly text: (root: string) => string;
}

const PIPELINE = 'src/gateway/pipeline.ts';

function withoutStage(direction: 'inward' | 'outward', stage: string): Removal {
  return {
    name: `${direction}:${stage}`,
    of: 'stage',
    file: PIPELINE,
    text: (root) => withoutRow(root, direction, stage),
  };
}

function withoutRow(root: string, direction: 'inward' | 'outward', stage: string): string {
  const text = readFileSync(join(root, PIPELINE), 'utf8');
  const border = text.indexOf('const OUTWARD_TABLE');
  const [inward, outward] = [text.slice(0, border), text.slice(border)];
  const cut = (table: string): string => changed(table, new RegExp(`^ *\\['${stage}',.*\\n`, 'm'), '');
  return direction === 'inward' ? cut(inward) + outward : inward + cut(outward);
}

function changed(text: string, pattern: RegExp, by: string): string {
  if (!pattern.test(text)) throw new Error(`nothing matches ${pattern.source}`);
  return text.replace(pattern, by);
}

// ---- parts and their open twins --------------------------------------------------------------------------------

/** The same part with its control gone: what the gateway would be if the part did not do its work. */
const TWINS: Readonly<Record<string, string>> = {
  'identity/local': twin('identity', 'local', 'local', EVERYBODY()),
  'identity/mtls': twin('identity', 'mtls', 'mtls', EVERYBODY()),
  'identity/api-key': twin('identity', 'api-key', 'apiKey', EVERYBODY()),
  'identity/oauth': twin('identity', 'oauth', 'oauth', EVERYBODY()),
  'policy/owner': twin(
    'policy',
    'owner',
    'owner',
    `({ decide: () => ALL, release: () => ALL, epoch: () => 0 })`,
    `const ALL = { effect: 'permit', rules: ['all'], obligations: [] };`,
  ),
  'policy/cedar': twin(
    'policy',
    'cedar',
    'cedar',
    `({ decide: () => ALL, release: () => ALL, epoch: () => 0 })`,
    `const ALL = { effect: 'permit', rules: ['all'], obligations: [] };`,
  ),
  'inspection/facts': twin('inspection', 'facts', 'facts', `({ inspect: () => ({ findings: [], facts: {} }) })`),
  'limits/concurrency': twin(
    'limits',
    'concurrency',
    'concurrency',
    `({ reading: () => FREE, opening: () => FREE })`,
    `const FREE = { allowed: true, done: undefined };`,
  ),
  'limits/quotas': twin(
    'limits',
    'quotas',
    'quotas',
    `({ reading: () => FREE, opening: () => FREE })`,
    `const FREE = { allowed: true, done: undefined };`,
  ),
  'credentials/static': twin(
    'credentials',
    'static',
    'staticCredentials',
    `({ issue: () => ({ issued: true, grant: { id: 'none', headers: [], env: {}, secrets: [] } }) })`,
  ),
  'audit/jsonl': twin('audit', 'jsonl', 'jsonl', `({ keep: () => undefined })`),
  'risk/constant': twin('risk', 'constant', 'constant', `({ score: () => 0 })`),
};

function EVERYBODY(): string {
  const principal = `{ key: 'owner', tenant: 'default', issuer: 'local', subject: 'owner', agent: undefined, person: 'owner', groups: ['owner'], chain: [], proof: { use: 'local', strength: 'none' }, expires: undefined }`;
  return `({ identify: () => ({ known: true, principal: ${principal} }) })`;
}

function twin(kind: string, use: string, name: string, part: string, before = ''): string {
  return `import { z } from 'zod';\n${before}\nexport const ${name} = { kind: '${kind}', use: '${use}', config: z.looseObject({}), create: () => ${part} };\n`;
}

const BOX = 'src/components/components.ts';

/** Stand-ins and stores have no open twin: they are taken out of the list. */
const LISTED: Readonly<Record<string, string>> = {
  'inspection/none': 'noInspection',
  'redaction/none': 'noRedaction',
  'store/embedded': 'embeddedStore',
  'store/postgres': 'postgresStore',
};

function withoutComponent(name: string): Removal {
  const [kind, use] = name.split('/') as [string, string];
  const open = TWINS[name];
  if (open !== undefined)
    return { name, of: 'component', file: `src/components/${kind}/${use}/${use}.ts`, text: () => open };
  const listed = LISTED[name];
  if (listed === undefined) throw new Error(`${name} is new in the box: give it an open twin in scripts/without.ts`);
  const cut = (root: string): string =>
    changed(readFileSync(join(root, BOX), 'utf8'), new RegExp(`^ *${listed},\\n`, 'm'), '');
  return { name, of: 'component', file: BOX, text: cut };
}

export const REMOVALS: readonly Removal[] = [
  ...INWARD.map(({ stage }) => withoutStage('inward', stage)),
  ...OUTWARD.map(({ stage }) => withoutStage('outward', stage)),
  ...COMPONENTS.map(({ kind, use }) => withoutComponent(`${kind}/${use}`)),
];
