/** Strict validation: every policy against the arguments of every tool that it can be asked about. Runs in the throw-away thread. */
import { nearest } from '../../../lib/distance.ts';
import type { Compiled, PolicyProblem } from './compiled.ts';
import { located, type PolicyText } from './compile.ts';
import { offsetOf, placesIn } from './pieces.ts';
import { pathsOf, reads } from './reads.ts';
import { cedarSchema, shapeOf, typed, type Known, type KnownTool, type Shape } from './schema.ts';
import { scopeHolds } from './scopes.ts';
import { freshCedar, type Cedar } from './wasm.ts';

export interface Checked {
  /** The set is not loaded. */
  readonly problems: readonly PolicyProblem[];
  /** The set is loaded; `policy check --strict` refuses it. */
  readonly warnings: readonly PolicyProblem[];
}

export function validateAll(
  rules: readonly Compiled[],
  texts: readonly PolicyText[],
  known: Known | undefined,
): Checked {
  const validation = new Validation(rules, texts);
  const warnings = known ? rules.flatMap((rule) => strangers(rule, known)) : [];
  validation.check(
    rules.filter((rule) => isTyped(rule, EMPTY) && !aboutTools(rule)),
    EMPTY,
    undefined,
  );
  for (const { shape, tools } of shapes(known?.tools ?? [])) {
    for (const [members, name] of matching(rules, tools)) {
      const checkable = members.filter((rule) => isTyped(rule, shape));
      validation.check(checkable, shape, name);
    }
  }
  const unchecked = known ? rules.filter((rule) => aboutTools(rule) && !validation.checked.has(rule)) : [];
  return { problems: validation.problems, warnings: [...warnings, ...unchecked.map(uncheckable)] };
}

const EMPTY: Shape = { type: 'Record', members: {} };

/** Reads arguments of calls of tools: what they are depends on the tool. */
function aboutTools({ reads: read, scope }: Compiled): boolean {
  return reads(read, ['args']) && scopeHolds.action(scope.action, 'tool.call');
}

function isTyped({ reads: read }: Compiled, args: Shape): boolean {
  return !read.whole && pathsOf(read).every((path) => typed(path, args));
}

function uncheckable({ place }: Compiled): PolicyProblem {
  return { place, message: 'arguments that no known tool declares a type for cannot be checked' };
}

/** Tools that declare the same arguments are checked together. */
function shapes(tools: readonly KnownTool[]): { readonly shape: Shape; readonly tools: readonly KnownTool[] }[] {
  const groups = Map.groupBy(tools, ({ inputSchema }) => JSON.stringify(shapeOf(inputSchema) ?? null));
  return [...groups.values()].flatMap((members) => {
    const shape = shapeOf(members[0]!.inputSchema);
    return shape?.type === 'Record' ? [{ shape, tools: members }] : [];
  });
}

/** The policies that may be asked about one of these tools, under the name of the first such tool. */
function matching(rules: readonly Compiled[], tools: readonly KnownTool[]): readonly [readonly Compiled[], string][] {
  const found = new Map<string, Compiled[]>();
  for (const rule of rules.filter(aboutTools)) {
    const tool = tools.find(({ server, name }) => scopeHolds.tool(rule.scope.resource, server, name));
    if (!tool) continue;
    const name = `${tool.server}/${tool.name}`;
    found.set(name, [...(found.get(name) ?? []), rule]);
  }
  return [...found].map(([name, members]) => [members, name]);
}

/** Among more names nobody looks for the nearest. */
const MOST_GUESSES = 500;

/** Tools and servers that are named and were never seen. */
function strangers({ entities, place }: Compiled, known: Known): PolicyProblem[] {
  const tools = known.tools.map(({ server, name }) => `${server}/${name}`);
  return [...entities].flatMap((entity) => {
    const [, type, id = ''] = /^(\w+)::([^]*)$/.exec(entity) ?? [];
    const seen = type === 'Server' ? known.servers : type === 'Tool' ? tools : undefined;
    if (!seen || seen.includes(id)) return [];
    const server = id.split('/')[0]!;
    if (type === 'Tool' && !tools.some((tool) => tool.startsWith(`${server}/`)) && known.servers.includes(server))
      return [];
    const meant = seen.length > MOST_GUESSES ? undefined : nearest(id, seen);
    const guess = meant === undefined ? '' : `, did you mean ${JSON.stringify(meant)}?`;
    return [{ place, message: `no ${type!.toLowerCase()} ${JSON.stringify(id)} is known${guess}` }];
  });
}

class Validation {
  readonly problems: PolicyProblem[] = [];
  readonly checked = new Set<Compiled>();
  readonly #texts: ReadonlyMap<string, PolicyText>;
  readonly #admin: readonly string[];
  #cedar: Cedar | undefined;

  constructor(rules: readonly Compiled[], texts: readonly PolicyText[]) {
    this.#texts = new Map(texts.map((text) => [text.file, text]));
    const entities = rules.flatMap((rule) => [...rule.entities]);
    this.#admin = [...new Set(entities.filter((one) => one.startsWith('Action::admin.')).map((one) => one.slice(8)))];
  }

  /** @param tool that the arguments are those of, for the message */
  check(rules: readonly Compiled[], shape: Shape, tool: string | undefined): void {
    if (rules.length === 0) return;
    this.#cedar ??= freshCedar();
    const staticPolicies = Object.fromEntries(rules.map(({ text }, index) => [String(index), text]));
    const schema = cedarSchema(shape, this.#admin);
    const answer = this.#cedar.validate({
      schema,
      policies: { staticPolicies },
      validationSettings: { mode: 'strict' },
    });
    if (answer.type === 'failure')
      throw new Error(`the schema is not one: ${answer.errors.map((one) => one.message).join('; ')}`);
    for (const rule of rules) this.checked.add(rule);
    for (const { policyId, error } of answer.validationErrors) this.#note(rules[Number(policyId)]!, error, tool);
  }

  #note(rule: Compiled, error: Parameters<typeof located>[0], tool: string | undefined): void {
    const of = this.#texts.get(rule.place.file)!;
    const problem = located(error, rule.text, offsetOf(rule.place, of.text), placesIn(of.file, of.text));
    const message = problem.message.replace(/^for policy `[^`]*`, /, '');
    this.problems.push({ ...problem, message: tool === undefined ? message : `${message} (arguments of ${tool})` });
  }
}
