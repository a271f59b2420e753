/**
 * The engine under supervision. Policies are prepared in a bounded number of places that are used again, because the engine
 * cannot free any. Whatever goes wrong is no decision: the instance is thrown away, and the question is answered with `broken`.
 */
import type { CedarValueJson, EntityJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Entity } from './mapping.ts';
import { freshCedar, type Cedar } from './wasm.ts';

/** Policies that are prepared together. `key` names version and members: equal keys hold equal policies. */
export interface Chunk {
  readonly key: string;
  /** Texts by id; every id begins with `prefix`. */
  readonly policies: Readonly<Record<string, string>>;
  readonly prefix: string;
}

export interface Request {
  readonly principal: Entity;
  readonly action: Entity;
  readonly resource: Entity;
  readonly context: Record<string, CedarValueJson>;
}

export type Evaluated =
  /** Ids of all satisfied forbids, or else of all satisfied permits; and of policies that could not be evaluated. */
  | {
      readonly ok: true;
      readonly allow: boolean;
      readonly reasons: readonly string[];
      readonly errors: readonly string[];
    }
  | { readonly ok: false; readonly detail: string };

const PLACES = 256;

export class Engine {
  readonly #make: () => Cedar;
  readonly #places: number;
  #cedar: Cedar | undefined;
  /** Which chunk stands in which place, least recently used first. */
  readonly #held = new Map<string, number>();
  #restarts = 0;

  constructor(make: () => Cedar = freshCedar, places: number = PLACES) {
    this.#make = make;
    this.#places = places;
  }

  get restarts(): number {
    return this.#restarts;
  }

  holds(chunk: Chunk): boolean {
    return this.#held.has(chunk.key);
  }

  evaluate(chunk: Chunk, request: Request): Evaluated {
    try {
      const place = this.#prepared(chunk);
      return place === undefined
        ? refused('the engine does not take these policies')
        : this.#ask(place, chunk, request);
    } catch (error) {
      this.#drop();
      return refused(`the engine failed (${error instanceof Error ? error.name : 'it threw'})`);
    }
  }

  #prepared(chunk: Chunk): number | undefined {
    this.#cedar ??= this.#make();
    const known = this.#held.get(chunk.key);
    const place = known ?? this.#free();
    this.#held.delete(chunk.key);
    if (known === undefined) {
      const { type } = this.#cedar.preparsePolicySet(String(place), {
        staticPolicies: chunk.policies as Record<string, string>,
      });
      if (type !== 'success') {
        // Whatever stood in this place may still stand there: nobody may be sent to it.
        this.#drop();
        return undefined;
      }
    }
    this.#held.set(chunk.key, place);
    return place;
  }

  #free(): number {
    if (this.#held.size < this.#places) return this.#held.size;
    const [oldest, place] = this.#held.entries().next().value!;
    this.#held.delete(oldest);
    return place;
  }

  #ask(place: number, { prefix }: Chunk, { principal, action, resource, context }: Request): Evaluated {
    const answer = this.#cedar!.statefulIsAuthorized({
      principal: { ...principal.uid },
      action: { ...action.uid },
      resource: { ...resource.uid },
      context,
      preparsedPolicySetId: String(place),
      entities: [principal, resource, action].filter(({ parents }) => parents.length > 0).map(json),
    });
    if (answer.type === 'failure') return refused('the engine does not take the question');
    const { decision, diagnostics } = answer.response;
    const errors = diagnostics.errors.map(({ policyId }) => policyId);
    // An engine that answers with the policies of another day would be believed otherwise.
    if ([...diagnostics.reason, ...errors].some((id) => !id.startsWith(prefix))) {
      this.#drop();
      return refused('the engine answered with other policies than it was asked about');
    }
    return { ok: true, allow: decision === 'allow', reasons: diagnostics.reason, errors };
  }

  #drop(): void {
    this.#cedar = undefined;
    this.#held.clear();
    this.#restarts += 1;
  }
}

function refused(detail: string): Evaluated {
  return { ok: false, detail };
}

function json({ uid, parents }: Entity): EntityJson {
  return { uid: { ...uid }, attrs: {}, parents: parents.map((parent) => ({ ...parent })) };
}
