/**
 * Slices: of all policies, those whose scope can match a question. Everything that a policy can observe of the entities of a
 * question is in the key of its slice, so questions with one key differ in their context only.
 */
import { createHash } from 'node:crypto';
import type { Principal } from '../../../gateway/principal.ts';
import { Lru } from '../../../lib/lru.ts';
import type { Decision, Resource } from '../policy.ts';
import type { Compiled } from './compiled.ts';
import type { Chunk } from './engine.ts';
import { actionEntity, keyOf, principalEntity, resourceEntity, type Entity, type Roles, type Uid } from './mapping.ts';
import { merged, noReads, type Reads } from './reads.ts';
import { anchorOf, isAction, isWithin, namesRelease } from './scopes.ts';

/** What is asked of the engine together, and what is remembered of its answers. */
export interface Bundle {
  readonly chunks: readonly Chunk[];
  readonly reads: Reads;
}

export interface Slice {
  readonly principal: Entity;
  readonly action: Entity;
  readonly resource: Entity;
  /** Permits, and forbids that nobody can lift. */
  readonly plain: Bundle;
  /** Forbids that a person may lift. */
  readonly holds: Bundle;
  /** What is sure while arguments and facts are unknown. */
  readonly listed: Bundle;
  /** What only a release is asked: policies that name the action `release`. */
  readonly released: Bundle;
  /** What `plain` and `holds` read. */
  readonly reads: Reads;
  /** Answers by context, of questions that read no arguments. */
  readonly decisions: Lru<string, Decision>;
  readonly listings: Lru<string, Decision>;
  readonly releases: Lru<string, Decision>;
}

/** Policies in one chunk: preparing one takes about a tenth of a millisecond a policy. */
const CHUNK = 48;
const SLICES = 8_192;
const ANSWERS = 32;

export class Slices {
  readonly rules: readonly Compiled[];
  readonly #prefix: string;
  readonly #roles: Roles;
  readonly #named: ReadonlySet<string>;
  readonly #groups: ReadonlyMap<string, readonly number[]>;
  readonly #anywhere: readonly number[];
  readonly #slices = new Lru<string, Slice>(SLICES);
  readonly #principals = new WeakMap<Principal, { readonly entity: Entity; readonly key: string }>();

  constructor(rules: readonly Compiled[], version: number, roles: Roles) {
    this.rules = rules;
    this.#prefix = `v${version}:`;
    this.#roles = roles;
    this.#named = new Set(rules.flatMap(({ entities }) => [...entities]));
    const places = rules.map(({ scope }, index) => ({ index, at: anchorOf(scope.resource) }));
    this.#anywhere = places.filter(({ at }) => at === undefined).map(({ index }) => index);
    const groups = Map.groupBy(places, ({ at }) => at ?? '');
    this.#groups = new Map([...groups].map(([at, members]) => [at, members.map(({ index }) => index)]));
  }

  of(principal: Principal, action: string, resource: Resource): Slice {
    const who = this.#principalOf(principal);
    const what = resourceEntity(resource);
    const key = `${action}\n${this.#observable(what)}\n${who.key}`;
    const known = this.#slices.get(key);
    if (known) return known;
    const made = this.#cut(who.entity, actionEntity(action), what);
    this.#slices.set(key, made);
    return made;
  }

  /** The rules that ids of the engine name, as they stand in the files: the engine tells them in any order. */
  inOrder(ids: readonly string[]): Compiled[] {
    if (ids.length === 0) return [];
    const indexes = ids.map((id) => Number(id.slice(this.#prefix.length)));
    return indexes.sort((a, b) => a - b).map((index) => this.rules[index]!);
  }

  /** Parents that no policy names cannot be observed, and are left out: fewer keys, less work. */
  #principalOf(principal: Principal): { readonly entity: Entity; readonly key: string } {
    const known = this.#principals.get(principal);
    if (known) return known;
    const { uid, parents } = principalEntity(principal, this.#roles);
    const entity = this.#seen({ uid, parents });
    const made = { entity, key: JSON.stringify([this.#self(uid), ...entity.parents.map(keyOf).sort()]) };
    this.#principals.set(principal, made);
    return made;
  }

  #seen({ uid, parents }: Entity): Entity {
    return { uid, parents: parents.filter((parent) => this.#named.has(keyOf(parent))) };
  }

  #observable({ uid, parents }: Entity): string {
    const seen = parents.map(keyOf).filter((parent) => this.#named.has(parent));
    return `${this.#self(uid)}\n${seen.join('\n')}`;
  }

  #self(uid: Uid): string {
    const key = keyOf(uid);
    return this.#named.has(key) ? key : uid.type;
  }

  #cut(principal: Entity, action: Entity, resource: Entity): Slice {
    const matching = this.#candidates(resource).filter((index) => {
      const { scope } = this.rules[index]!;
      return isWithin(scope.principal, principal) && isWithin(scope.resource, resource);
    });
    const acting = matching.filter((index) => isAction(this.rules[index]!.scope.action, action));
    const held = (index: number): boolean => this.rules[index]!.hold !== undefined;
    const known = acting.filter((index) => this.rules[index]!.listed !== undefined && !held(index));
    const listed = this.#bundle(known, true);
    const plain = this.#bundle(acting.filter((index) => !held(index)));
    const holds = this.#bundle(acting.filter(held));
    const released = this.#bundle(matching.filter((index) => namesRelease(this.rules[index]!.scope.action)));
    return {
      principal,
      action: this.#seen(action),
      resource: this.#seen(resource),
      plain,
      holds,
      listed,
      released,
      reads: merged([plain.reads, holds.reads]),
      decisions: new Lru(ANSWERS),
      listings: new Lru(ANSWERS),
      releases: new Lru(ANSWERS),
    };
  }

  #candidates({ uid, parents }: Entity): number[] {
    const anchored = [uid, ...parents].flatMap((one) => this.#groups.get(keyOf(one)) ?? []);
    return [...this.#anywhere, ...anchored].sort((a, b) => a - b);
  }

  #bundle(indexes: readonly number[], listed = false): Bundle {
    const chunks: Chunk[] = [];
    for (let from = 0; from < indexes.length; from += CHUNK)
      chunks.push(this.#chunk(indexes.slice(from, from + CHUNK), listed));
    const reads = indexes.map((index) => (listed ? this.rules[index]!.listed!.reads : this.rules[index]!.reads));
    return { chunks, reads: indexes.length === 0 ? noReads() : merged(reads) };
  }

  #chunk(indexes: readonly number[], listed: boolean): Chunk {
    const textOf = ({ text, listed: sure }: Compiled): string => (listed ? sure!.text : text);
    const policies = Object.fromEntries(
      indexes.map((index) => [`${this.#prefix}${index}`, textOf(this.rules[index]!)]),
    );
    const digest = createHash('sha256').update(indexes.join(',')).digest('base64');
    return { key: `${this.#prefix}${listed ? 'listed' : 'whole'}:${digest}`, policies, prefix: this.#prefix };
  }
}
