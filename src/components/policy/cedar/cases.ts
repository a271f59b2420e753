/** Tests that lie beside policies: questions with the answers that their author expects. A set that fails them is not loaded. */
import { isMap, isSeq, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import type { JsonObject } from '../../../gateway/document.ts';
import { principalKey } from '../../../gateway/principal.ts';
import type { Decision, Question, Resource } from '../policy.ts';
import type { PolicyProblem } from './compiled.ts';
import type { PolicyText } from './compile.ts';

const words = z.union([z.string(), z.array(z.string())]).transform((one) => [one].flat());
const json = z.record(z.string(), z.json());

const who = z.strictObject({
  agent: z.string().optional(),
  person: z.string().optional(),
  subject: z.string().default('test'),
  issuer: z.string().default('test'),
  tenant: z.string().default('default'),
  groups: z.array(z.string()).default([]),
  scopes: z.array(z.string()).default([]),
  claims: json.default({}),
  strength: z.enum(['none', 'shared-secret', 'bearer', 'proof-of-possession']).default('bearer'),
});

const expected = z.union([
  z.enum(['permit', 'deny', 'hold']).transform((effect) => ({ effect, rules: undefined, orders: undefined })),
  z.strictObject({
    effect: z.enum(['permit', 'deny', 'hold']),
    /** Ids, or places such as `github.cedar:12`, that must be among those that decided. */
    rules: words.optional(),
    /** `redact email`, `hold finance`: all of them, in any order. */
    orders: words.optional(),
  }),
]);

const server = z.string().regex(/^[^/]+\/[^]+$/, 'server/name');

export const policyCase = z
  .strictObject({
    name: z.string().min(1),
    as: who,
    /** `server/tool`. One of these five says what is asked for. */
    call: server.optional(),
    prompt: server.optional(),
    /** `server/uri` */
    read: server.optional(),
    /** May this tool be listed? */
    list: server.optional(),
    /** Any other action, of the gateway or of `server`. */
    action: z.string().optional(),
    server: z.string().optional(),
    arguments: json.default({}),
    facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])).default({}),
    at: z.iso.datetime({ offset: true }).default('2026-11-18T12:00:00Z'),
    from: z.union([z.ipv4(), z.ipv6(), z.literal('socket')]).default('127.0.0.1'),
    labels: z.array(z.string()).default([]),
    risk: z.number().min(0).max(100).default(0),
    expect: expected,
  })
  .refine(({ call, prompt, read, list, action }) => [call, prompt, read, list, action].filter(Boolean).length === 1, {
    message: 'exactly one of call, prompt, read, list, action',
  });

export type WrittenCase = z.output<typeof policyCase>;

/** Plain data: cases cross to the thread. */
export interface Case {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly question: Question;
  readonly listing: boolean;
  readonly expect: WrittenCase['expect'];
}

export interface CaseResult {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly ok: boolean;
  readonly effect: 'permit' | 'deny' | 'hold';
  /** Names of the policies that decided. */
  readonly rules: readonly string[];
  /** What was expected instead. */
  readonly wanted: string | undefined;
}

export function casesOf({ file, text }: PolicyText): { readonly cases: Case[]; readonly problems: PolicyProblem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeAt = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const [broken] = document.errors;
  if (broken) return { cases: [], problems: [{ place: placeAt(broken.pos[0]), message: broken.message }] };
  if (document.contents === null) return { cases: [], problems: [] };
  if (!isSeq(document.contents))
    return { cases: [], problems: [{ place: placeAt(0), message: 'expected a list of cases' }] };
  const cases: Case[] = [];
  const problems: PolicyProblem[] = [];
  for (const node of document.contents.items) {
    const place = placeAt(isMap(node) ? (node.range?.[0] ?? 0) : 0);
    const read = policyCase.safeParse(isMap(node) ? node.toJS(document) : node);
    if (read.success) cases.push(caseOf(read.data, file, place.line));
    else
      problems.push(
        ...read.error.issues.map(({ path, message }) => ({ place, message: `${path.join('.')}: ${message}` })),
      );
  }
  return { cases, problems };
}

export function caseOf(written: WrittenCase, file: string, line: number): Case {
  const listing = written.list !== undefined;
  return { name: written.name, file, line, listing, expect: written.expect, question: questionOf(written, listing) };
}

function questionOf(written: WrittenCase, listing: boolean): Question {
  const { as, facts, labels, risk, from, at } = written;
  const { action, method, resource, params } = askedFor(written);
  const principal = {
    ...as,
    key: principalKey(as.tenant, as.issuer, as.subject, as.agent),
    agent: as.agent,
    person: as.person,
    chain: [],
    proof: { use: 'test', strength: as.strength },
    claims: as.claims as JsonObject,
    expires: undefined,
  };
  const asked = {
    principal,
    action,
    resource,
    method,
    facts,
    labels,
    risk,
    peer: from,
    run: 'test',
    at: Date.parse(at),
  };
  return { ...asked, params: listing ? undefined : params };
}

function askedFor({
  call,
  list,
  prompt,
  read,
  action,
  server,
  arguments: args,
}: WrittenCase): Pick<Question, 'action' | 'method' | 'resource'> & { readonly params: JsonObject } {
  const given = args as JsonObject;
  const tool = call ?? list;
  if (tool !== undefined) {
    const resource = resourceOf('tool', tool);
    return { action: 'tool.call', method: 'tools/call', resource, params: { name: resource.name!, arguments: given } };
  }
  if (prompt !== undefined) {
    const resource = resourceOf('prompt', prompt);
    return {
      action: 'prompt.get',
      method: 'prompts/get',
      resource,
      params: { name: resource.name!, arguments: given },
    };
  }
  if (read !== undefined) {
    const resource = resourceOf('resource', read);
    return { action: 'resource.read', method: 'resources/read', resource, params: { uri: resource.name! } };
  }
  const kind = server === undefined ? 'gateway' : 'server';
  const resource: Resource = { endpoint: { kind: 'joint' }, server, kind, name: undefined, definition: undefined };
  return { action: action!, method: action!, resource, params: given };
}

function resourceOf(kind: 'tool' | 'prompt' | 'resource', named: string): Resource {
  const slash = named.indexOf('/');
  const [server, name] = [named.slice(0, slash), named.slice(slash + 1)];
  return { endpoint: { kind: 'joint' }, server, kind, name, definition: undefined };
}

export function resultOf({ name, file, line, expect }: Case, decision: Decision): CaseResult {
  const effect = effectOf(decision);
  const rules = decision.effect === 'silence' ? [] : decision.rules;
  const orders = decision.effect === 'permit' ? decision.obligations.map(orderOf) : [];
  const wanted = [
    effect === expect.effect ? undefined : expect.effect,
    missing('by', expect.rules, (rule) => rules.some((one) => one === rule || isNamed(one, rule))),
    missing('with', expect.orders, (order) => orders.includes(order)),
  ].filter((one) => one !== undefined);
  return { name, file, line, effect, rules, ok: wanted.length === 0, wanted: wanted.join(' ') || undefined };
}

/** `no-deletes (github.cedar:12)` is named by its id and by its place. */
function isNamed(rule: string, wanted: string): boolean {
  return rule.startsWith(`${wanted} (`) || rule.endsWith(`(${wanted})`);
}

function missing(
  word: string,
  wanted: readonly string[] | undefined,
  has: (one: string) => boolean,
): string | undefined {
  const absent = (wanted ?? []).filter((one) => !has(one));
  return absent.length === 0 ? undefined : `${word} ${absent.join(', ')}`;
}

export function effectOf(decision: Decision): 'permit' | 'deny' | 'hold' {
  if (decision.effect !== 'permit') return 'deny';
  return decision.obligations.some(({ kind }) => kind === 'hold') ? 'hold' : 'permit';
}

export function orderOf(obligation: Extract<Decision, { effect: 'permit' }>['obligations'][number]): string {
  switch (obligation.kind) {
    case 'redact':
    case 'mask':
      return `${obligation.kind} ${obligation.what}`;
    case 'notify':
      return `notify ${obligation.whom}`;
    case 'hold':
      return `hold ${obligation.group}`;
  }
}

export function resultLine({ file, line, name, effect, rules, wanted }: CaseResult): string {
  const by = rules.length > 0 ? ` by ${rules.join(', ')}` : effect === 'deny' ? ': no policy permits it' : '';
  return `${file}:${line} ${JSON.stringify(name)}: expected ${wanted ?? effect}, found ${effect}${by}`;
}
