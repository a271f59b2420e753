/** From texts to policies in force. Runs in a throw-away thread: a text that breaks the engine breaks nothing else. */
import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Obligation } from '../../../gateway/verdict.ts';
import type { Compiled, PolicyProblem } from './compiled.ts';
import { LIMITS, piecesOf, placesIn, unitsOf, type Piece, type Place } from './pieces.ts';
import { noReads, observed, readsOf, weakened, type Reads } from './reads.ts';
import { slips } from './vocabulary.ts';
import { freshCedar, type Cedar } from './wasm.ts';

export interface PolicyText {
  /** As it is shown: relative to the configuration. */
  readonly file: string;
  readonly text: string;
}

export interface CompiledAll {
  readonly rules: readonly Compiled[];
  readonly problems: readonly PolicyProblem[];
}

export function compileAll(texts: readonly PolicyText[]): CompiledAll {
  const compiler = new Compiler();
  for (const text of texts) compiler.take(text);
  return {
    rules: compiler.rules,
    problems: [...compiler.problems, ...twice(compiler.rules), ...tooMany(compiler.rules)],
  };
}

function tooMany(rules: readonly Compiled[]): PolicyProblem[] {
  const first = rules[LIMITS.policies];
  return first ? [{ place: first.place, message: `found more than ${LIMITS.policies} policies` }] : [];
}

function twice(rules: readonly Compiled[]): PolicyProblem[] {
  const first = new Map<string, Compiled>();
  const problems: PolicyProblem[] = [];
  for (const rule of rules) {
    if (rule.id === undefined) continue;
    const other = first.get(rule.id);
    if (other)
      problems.push({ place: rule.place, message: `@id(${JSON.stringify(rule.id)}) is that of ${other.name}` });
    else first.set(rule.id, rule);
  }
  return problems;
}

type PlaceAt = (offset: number) => Place;

class Compiler {
  readonly rules: Compiled[] = [];
  readonly problems: PolicyProblem[] = [];
  #cedar: Cedar | undefined;

  take({ file, text }: PolicyText): void {
    const { pieces, faults } = piecesOf(text);
    const placeAt = placesIn(file, text);
    for (const { offset, what } of faults) this.problems.push({ place: placeAt(offset), message: `found ${what}` });
    if (faults.length === 0) for (const piece of pieces) this.#policy(piece, placeAt);
  }

  #policy(piece: Piece, placeAt: PlaceAt): void {
    const place = placeAt(piece.start);
    const json = this.#parsed(piece, placeAt);
    if (!json) return;
    const refuse = (message: string) => void this.problems.push({ place, message });
    const { rule, faults } = compiled(json, piece.text, place, (weaker) => this.#textOf(weaker));
    for (const fault of faults) refuse(fault);
    if (!this.#survives(piece.text)) return refuse('this policy breaks the engine');
    if (faults.length === 0) this.rules.push(rule);
  }

  #parsed({ text, start }: Piece, placeAt: PlaceAt): PolicyJson | undefined {
    try {
      this.#cedar ??= freshCedar();
      const answer = this.#cedar.policyToJson(text);
      if (answer.type === 'success') return answer.json;
      for (const error of answer.errors) this.problems.push(located(error, text, start, placeAt));
    } catch {
      this.#cedar = undefined;
      this.problems.push({ place: placeAt(start), message: 'this policy breaks the engine' });
    }
    return undefined;
  }

  #textOf(policy: PolicyJson): string {
    const answer = this.#cedar!.policyToText(policy);
    if (answer.type === 'failure') throw new Error('a policy without some of its conditions is no policy');
    return answer.text;
  }

  /** What parses here and fails later would fail in the middle of a call. */
  #survives(text: string): boolean {
    try {
      return this.#cedar!.preparsePolicySet('try', { staticPolicies: { try: text } }).type === 'success';
    } catch {
      this.#cedar = undefined;
      return false;
    }
  }
}

export function located(error: DetailedError, text: string, start: number, placeAt: PlaceAt): PolicyProblem {
  const [at] = error.sourceLocations ?? [];
  const offset = start + unitsOf(text, at?.start ?? 0);
  const more = [at?.label, error.help].filter((part) => part !== null && part !== undefined && part !== '');
  const message = [error.message.replace(/^failed to parse policy from string: /, ''), ...more].join('; ');
  return { place: placeAt(offset), message };
}

function compiled(
  json: PolicyJson,
  text: string,
  place: Place,
  textOf: (policy: PolicyJson) => string,
): { rule: Compiled; faults: string[] } {
  const { context, entities } = observed(json);
  const { id, hold, ...annotations } = json.annotations ?? {};
  const at = `${place.file}:${place.line}`;
  const sure = weakened(json);
  const rule: Compiled = {
    id,
    name: id === undefined ? at : `${id} (${at})`,
    place,
    effect: json.effect,
    text,
    scope: { principal: json.principal, action: json.action, resource: json.resource },
    reads: context,
    entities,
    listed: sure && {
      text: sure.weaker ? textOf(sure.policy) : text,
      weaker: sure.weaker,
      reads: sure.weaker ? readsOf(sure.policy.conditions) : context,
    },
    hold: hold === undefined ? undefined : hold.trim(),
    obligations: obligationsOf(annotations),
  };
  return { rule, faults: [...slips(rule), ...misplaced(rule), ...reserved(context)] };
}

function obligationsOf({ redact, mask, notify }: Readonly<Record<string, string>>): Obligation[] {
  const each = (list: string | undefined) =>
    (list ?? '')
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== '');
  return [
    ...each(redact).map((what) => ({ kind: 'redact' as const, what })),
    ...each(mask).map((what) => ({ kind: 'mask' as const, what })),
    ...each(notify).map((whom) => ({ kind: 'notify' as const, whom })),
  ];
}

function misplaced({ effect, hold, obligations }: Compiled): string[] {
  const faults: string[] = [];
  if (effect === 'permit' && hold !== undefined) faults.push('@hold belongs to a forbid: it says who may lift it');
  if (effect === 'forbid' && hold === '') faults.push('@hold names the group that is asked');
  if (effect === 'forbid' && obligations.length > 0) faults.push('@redact, @mask and @notify belong to a permit');
  return faults;
}

/** Such members never reach the engine, so a policy about them would never be satisfied. */
function reserved({ children }: Reads = noReads()): string[] {
  return [...children].flatMap(([key, child]) =>
    key.startsWith('__') ? [`names that begin with __ cannot be read: ${key}`] : reserved(child),
  );
}
