/** The context of a question: what the policies of its slice read of it, as Cedar can hold it, or why it cannot. */
import { isIP } from 'node:net';
import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs';
import { isObject, type Json, type JsonObject } from '../../../gateway/document.ts';
import type { Question } from '../policy.ts';
import type { Moment } from './calendar.ts';
import type { Reads } from './reads.ts';

export type Projected =
  | { readonly ok: true; readonly context: Record<string, CedarValueJson> }
  /** `where`: a path that a policy reads; never a key that the caller chose. */
  | { readonly ok: false; readonly what: string; readonly where: string };

const LONGEST = 65_536;
const DEEPEST = 32;
const MOST = 10_000;

/** Only what is read is made: a fact that no policy of the slice asks for costs nothing. */
export function project(question: Question, reads: Reads, moment: (at: number) => Moment): Projected {
  const encoder = new Encoder();
  const context: Record<string, CedarValueJson> = {};
  const wanted = reads.whole ? PARTS.map((name) => [name, WHOLE] as const) : [...reads.children];
  for (const [name, of] of wanted) {
    const value = partOf(name, question, moment);
    if (value === undefined) continue;
    const held = encoder.encode(value, of, name, 0);
    if (held === undefined) return { ok: false, ...encoder.fault! };
    context[name] = name === 'network' ? withAddress(held, question.peer, of) : held;
  }
  return { ok: true, context };
}

const WHOLE: Reads = { whole: true, children: new Map() };
export const PARTS = ['args', 'facts', 'method', 'time', 'network', 'run', 'risk', 'principal'] as const;

function partOf(name: string, question: Question, moment: (at: number) => Moment): Json | undefined {
  const { method, run, labels, risk, at, principal } = question;
  switch (name) {
    case 'args':
      return argumentsOf(question);
    case 'facts':
      return question.facts as JsonObject;
    case 'method':
      return method;
    case 'time':
      return moment(at) as unknown as JsonObject;
    case 'network':
      return { local: question.peer === 'socket' };
    case 'run':
      return { id: run, labels: [...labels] };
    case 'risk':
      // One number from 0 to 100; a fraction counts as the next whole one, which is the more careful reading.
      return Math.ceil(risk);
    case 'principal': {
      const { issuer, subject, proof, scopes = [], claims = {} } = principal;
      return { issuer, subject, proof: proof.use, strength: proof.strength, scopes: [...scopes], claims };
    }
    default:
      return undefined;
  }
}

/** Of tools and prompts their arguments; of everything else the parameters, without what belongs to the hop. */
function argumentsOf({ params, action }: Question): Json {
  if (params === undefined) return {};
  if (action === 'tool.call' || action === 'prompt.get') return params['arguments'] ?? {};
  const { _meta: _, ...rest } = params;
  return rest;
}

/** The only extension value that there is, made here and never from what was sent. */
function withAddress(held: CedarValueJson, peer: string | undefined, reads: Reads): CedarValueJson {
  const ip = peer?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '';
  const read = reads.whole || reads.children.has('ip');
  if (!read || isIP(ip) === 0 || ip.includes('%')) return held;
  return { ...(held as Record<string, CedarValueJson>), ip: { __extn: { fn: 'ip', arg: ip } } };
}

/** One walk over the values that are read. Null, fractions, huge integers, halves of characters: Cedar has none of them. */
class Encoder {
  fault: { readonly what: string; readonly where: string } | undefined;
  #values = 0;

  encode(value: Json, reads: Reads, where: string, depth: number): CedarValueJson | undefined {
    if (value === null) return this.#refuse('null', where);
    if (!reads.whole && reads.children.size === 0) return true;
    if (!reads.whole && isObject(value)) return this.#members(value, reads, where, depth);
    return this.#whole(value, where, depth);
  }

  #members(value: JsonObject, reads: Reads, where: string, depth: number): CedarValueJson | undefined {
    const held: Record<string, CedarValueJson> = {};
    for (const [key, of] of reads.children) {
      if (!Object.hasOwn(value, key)) continue;
      const one = this.encode(value[key]!, of, `${where}.${key}`, depth + 1);
      if (one === undefined) return undefined;
      held[key] = one;
    }
    return held;
  }

  #whole(value: Json, where: string, depth: number): CedarValueJson | undefined {
    this.#values += 1;
    if (depth > DEEPEST) return this.#refuse('a value that is nested too deep', where);
    if (this.#values > MOST) return this.#refuse('more values than can be judged', where);
    if (typeof value === 'string') return this.#text(value, where);
    if (typeof value === 'number') return this.#number(value, where);
    if (typeof value === 'boolean') return value;
    if (value === null) return this.#refuse('null', where);
    return Array.isArray(value) ? this.#list(value, where, depth) : this.#object(value, where, depth);
  }

  #text(value: string, where: string): string | undefined {
    if (value.length > LONGEST) return this.#refuse('a text of more than 64 Ki characters', where);
    return value.isWellFormed() ? value : this.#refuse('half a character', where);
  }

  #number(value: number, where: string): number | undefined {
    return Number.isSafeInteger(value) ? value : this.#refuse('a number that is no integer below 2⁵³', where);
  }

  #list(value: readonly Json[], where: string, depth: number): CedarValueJson | undefined {
    const held: CedarValueJson[] = [];
    for (const item of value) {
      const one = this.#whole(item, where, depth + 1);
      if (one === undefined) return undefined;
      held.push(one);
    }
    return held;
  }

  /** `{"__entity": …}` within arguments would become a real entity, and `__extn` a real value of an extension. */
  #object(value: JsonObject, where: string, depth: number): CedarValueJson | undefined {
    const held: Record<string, CedarValueJson> = {};
    for (const [key, item] of Object.entries(value)) {
      if (key.startsWith('__')) return this.#refuse('a name that begins with __', where);
      if (this.#text(key, where) === undefined) return undefined;
      const one = this.#whole(item, where, depth + 1);
      if (one === undefined) return undefined;
      held[key] = one;
    }
    return held;
  }

  #refuse(what: string, where: string): undefined {
    this.fault = { what, where };
    return undefined;
  }
}
