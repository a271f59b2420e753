/** Decisions of one policy set: exact ones, ones with arguments unknown, and releases. Deny wins, silence denies, errors deny. */
import type { Obligation } from '../../../gateway/verdict.ts';
import type { Lru } from '../../../lib/lru.ts';
import type { Decision, Question } from '../policy.ts';
import type { Moment } from './calendar.ts';
import type { Compiled } from './compiled.ts';
import { project } from './context.ts';
import type { Engine, Request } from './engine.ts';
import { actionEntity } from './mapping.ts';
import { reads, type Reads } from './reads.ts';
import type { Bundle, Slice, Slices } from './slices.ts';

export interface Judged {
  readonly slices: Slices;
  readonly engine: Engine;
  readonly moment: (at: number) => Moment;
}

const LONGEST_KEY = 1_024;
const SILENCE: Decision = { effect: 'silence' };
const RELEASE = actionEntity('release');

/** Whether decisions on this slice need policies that are not prepared yet, and more of them than one turn should prepare. */
export function unprepared(slice: Slice, { engine }: Judged): boolean {
  const chunks = [...slice.plain.chunks, ...slice.holds.chunks];
  return chunks.filter((chunk) => !engine.holds(chunk)).length > 1;
}

/** Prepares one chunk of the slice that is not prepared yet; what comes of it does not matter here. */
export function prepareOne(slice: Slice, { engine }: Judged): void {
  const chunk = [...slice.plain.chunks, ...slice.holds.chunks].find((one) => !engine.holds(one));
  if (chunk) engine.evaluate(chunk, { ...slice, context: {} });
}

export function exact(question: Question, slice: Slice, judged: Judged): Decision {
  if (slice.plain.chunks.length === 0) return SILENCE;
  return remembered(slice.decisions, slice.reads, question, judged, (context) => {
    const plain = evaluate(slice.plain, { ...slice, context }, judged);
    if (plain.denied || plain.permits.length === 0) return plain.denied ?? SILENCE;
    const held = evaluate(slice.holds, { ...slice, context }, judged);
    if (held.denied && held.forbids.length === 0) return held.denied;
    const holds = held.forbids.map(({ hold }) => ({ kind: 'hold' as const, group: hold! }));
    const rules = [...held.forbids, ...plain.permits].map(({ name }) => name);
    return { effect: 'permit', rules, obligations: distinct([...holds, ...obligationsOf(plain.permits)]) };
  });
}

/**
 * With arguments and facts unknown: forbidden only by what is sure, permitted by whatever may permit. What is refused here is
 * refused with any arguments; a permit here is none for a call.
 */
export function listed(question: Question, slice: Slice, judged: Judged): Decision {
  if (slice.listed.chunks.length === 0) return SILENCE;
  return remembered(slice.listings, slice.listed.reads, question, judged, (context) => {
    const { denied, permits } = evaluate(slice.listed, { ...slice, context }, judged, true);
    if (denied) return denied;
    if (permits.length === 0) return SILENCE;
    return { effect: 'permit', rules: permits.map(({ name }) => name), obligations: obligationsOf(permits) };
  });
}

/** May it go out? Whoever may call may hear, unless a policy about `release` forbids it; such permits add orders. */
export function released(question: Omit<Question, 'params'>, slice: Slice, judged: Judged): Decision {
  const asked: Question = { ...question, params: undefined };
  const base = listed(asked, slice, judged);
  if (base.effect !== 'permit') return base;
  const orders = base.obligations.filter(({ kind }) => kind === 'redact' || kind === 'mask');
  if (slice.released.chunks.length === 0) return { ...base, obligations: orders };
  const own = remembered(slice.releases, slice.released.reads, asked, judged, (context) => {
    const { denied, permits } = evaluate(slice.released, { ...slice, action: RELEASE, context }, judged);
    return denied ?? { effect: 'permit', rules: permits.map(({ name }) => name), obligations: obligationsOf(permits) };
  });
  if (own.effect !== 'permit') return own;
  const obligations = distinct([...orders, ...own.obligations]);
  return { effect: 'permit', rules: [...base.rules, ...own.rules], obligations };
}

/** Answers are remembered where no argument is read: what a caller can choose freely does not fill the memory. */
function remembered(
  answers: Lru<string, Decision>,
  read: Reads,
  question: Question,
  { moment, engine }: Judged,
  decide: (context: Request['context']) => Decision,
): Decision {
  const projected = project(question, read, moment);
  if (!projected.ok) return forbid(`${projected.what} at ${projected.where} cannot be judged`);
  if (reads(read, ['args'])) return decide(projected.context);
  const key = read.children.size === 0 ? '' : JSON.stringify(projected.context);
  const known = answers.get(key);
  if (known) return known;
  const { restarts } = engine;
  const decision = decide(projected.context);
  // A refusal because the engine failed is not one of the policies, and facts may be of any length.
  if (engine.restarts === restarts && key.length <= LONGEST_KEY) answers.set(key, decision);
  return decision;
}

interface Outcome {
  readonly denied: Decision | undefined;
  readonly permits: readonly Compiled[];
  readonly forbids: readonly Compiled[];
}

/** Chunks are parts of one set: a forbid in any of them forbids, and permits of all of them permit. */
function evaluate({ chunks }: Bundle, request: Request, { engine, slices }: Judged, listing = false): Outcome {
  const permits: Compiled[] = [];
  const forbids: Compiled[] = [];
  for (const chunk of chunks) {
    const answer = engine.evaluate(chunk, request);
    if (!answer.ok) return { denied: forbid(answer.detail), permits: [], forbids: [] };
    const rules = (ids: readonly string[]) => slices.inOrder(ids);
    const failed = rules(answer.errors);
    const sure = failed.filter((rule) => !(listing && rule.listed?.weaker));
    if (sure.length > 0)
      return { denied: forbid(...sure.map(({ name }) => `${name} cannot be evaluated`)), permits, forbids: [] };
    permits.push(...(answer.allow ? rules(answer.reasons) : []), ...failed);
    if (!answer.allow) forbids.push(...rules(answer.reasons));
  }
  const denied = forbids.length > 0 ? forbid(...forbids.map(({ name }) => name)) : undefined;
  return { denied, permits, forbids };
}

function forbid(...rules: readonly string[]): Decision {
  return { effect: 'forbid', rules };
}

function obligationsOf(rules: readonly Compiled[]): readonly Obligation[] {
  return distinct(rules.flatMap(({ obligations }) => obligations));
}

function distinct(obligations: readonly Obligation[]): readonly Obligation[] {
  const seen = new Map(obligations.map((one) => [JSON.stringify(one), one]));
  return [...seen.values()];
}
