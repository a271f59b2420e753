/**
 * What a policy can observe, found in its JSON form: which paths of the context, which entities. What no policy of a slice
 * reads is not handed to the engine: it costs nothing, and a value that Cedar cannot hold does no harm there.
 */
import type { Clause, Expr, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

/** A tree of paths. `whole`: the value is used as it is. Neither whole nor children: only asked for with `has`. */
export interface Reads {
  whole: boolean;
  readonly children: Map<string, Reads>;
}

export interface Observed {
  readonly context: Reads;
  /** Every entity that is named anywhere, `Type::id`. */
  readonly entities: Set<string>;
}

export const noReads = (): Reads => ({ whole: false, children: new Map() });

export function observed({ principal, action, resource, conditions }: PolicyJson): Observed {
  const found: Observed = { context: noReads(), entities: new Set() };
  for (const scope of [principal, action, resource]) value(scope, found);
  for (const { body } of conditions) visit(body, found);
  return found;
}

export function readsOf(clauses: readonly Clause[]): Reads {
  const found: Observed = { context: noReads(), entities: new Set() };
  for (const { body } of clauses) visit(body, found);
  return found.context;
}

/** Whether a path is read, or something that holds it, or a part of it. */
export function reads({ whole, children }: Reads, [step, ...rest]: readonly string[]): boolean {
  if (whole || step === undefined) return true;
  const child = children.get(step);
  return child !== undefined && reads(child, rest);
}

export function merged(all: readonly Reads[]): Reads {
  const into = noReads();
  for (const one of all) add(into, one);
  return into;
}

function add(into: Reads, from: Reads): void {
  into.whole ||= from.whole;
  for (const [key, child] of from.children) add(childOf(into, key), child);
}

function childOf(reads: Reads, key: string): Reads {
  const known = reads.children.get(key);
  if (known) return known;
  const made = noReads();
  reads.children.set(key, made);
  return made;
}

/** Every path that is read, as its steps. */
export function pathsOf({ whole, children }: Reads, at: readonly string[] = []): (readonly string[])[] {
  if (whole || children.size === 0) return at.length === 0 && !whole ? [] : [at];
  return [...children].flatMap(([key, child]) => pathsOf(child, [...at, key]));
}

type Node = Readonly<Record<string, unknown>>;

function visit(expr: Expr, found: Observed): void {
  const node = expr as Node;
  const path = pathOf(node);
  if (path) return use(found.context, path);
  if ('Value' in node) return value(node['Value'], found);
  if ('has' in node) return has(node['has'] as HasNode, found);
  for (const child of Object.values(node)) operands(child, found);
}

interface HasNode {
  readonly left: Expr;
  readonly attr: string | readonly string[];
}

function has({ left, attr }: HasNode, found: Observed): void {
  const path = pathOf(left as Node);
  if (path) mark(found.context, [...path, ...[attr].flat()]);
  else visit(left, found);
}

/** Operands stand in objects (`left`, `right`, `if`, members of records) or in lists (sets, extension functions). */
function operands(of: unknown, found: Observed): void {
  if (Array.isArray(of)) for (const one of of) operand(one, found);
  else if (typeof of === 'object' && of !== null) for (const one of Object.values(of)) operand(one, found);
}

function operand(one: unknown, found: Observed): void {
  if (Array.isArray(one)) operands(one, found);
  else if (typeof one === 'object' && one !== null) visit(one as Expr, found);
}

/** `context.a.b` as a path; undefined for everything else. */
function pathOf(node: Node): string[] | undefined {
  if (node['Var'] === 'context') return [];
  const access = node['.'] as { readonly left: Node; readonly attr: string } | undefined;
  if (!access) return undefined;
  const left = pathOf(access.left);
  return left && [...left, access.attr];
}

function use(reads: Reads, path: readonly string[]): void {
  mark(reads, path).whole = true;
}

function mark(reads: Reads, path: readonly string[]): Reads {
  return path.reduce(childOf, reads);
}

/** Entities within literals and scopes. */
function value(literal: unknown, found: Observed): void {
  if (typeof literal !== 'object' || literal === null) return;
  const { type, id } = literal as { type?: unknown; id?: unknown };
  if (typeof type === 'string' && typeof id === 'string') found.entities.add(`${type}::${id}`);
  for (const inner of Object.values(literal)) value(inner, found);
}

// ---- what is left of a policy while arguments and facts are unknown ---------------------------------------------

const UNKNOWN = [['args'], ['facts']];

export interface Weakened {
  /** False: the policy is as it was. */
  readonly weaker: boolean;
  readonly policy: PolicyJson;
}

/**
 * What must hold for the policy to be satisfied, whatever the arguments and facts: its conditions without those that read them.
 * A permit that is weakened is a necessary condition of itself; a forbid that would be weakened is none that is sure: undefined.
 */
export function weakened(policy: PolicyJson): Weakened | undefined {
  const clauses = policy.conditions.flatMap(conjuncts);
  const known = clauses.filter((clause) => !UNKNOWN.some((path) => reads(readsOf([clause]), path)));
  if (known.length === clauses.length) return { weaker: false, policy };
  return policy.effect === 'forbid' ? undefined : { weaker: true, policy: { ...policy, conditions: known } };
}

/** `when { a && b }` is `when { a } when { b }`; `unless { a || b }` is `unless { a } unless { b }`. */
function conjuncts({ kind, body }: Clause): Clause[] {
  const joined = (body as Node)[kind === 'when' ? '&&' : '||'] as { left: Expr; right: Expr } | undefined;
  if (!joined) return [{ kind, body }];
  return [...conjuncts({ kind, body: joined.left }), ...conjuncts({ kind, body: joined.right })];
}
