/** What was withdrawn before its end: kept in the store, told to every replica by watch, asked from memory. */
import { createHash } from 'node:crypto';
import type { PartDeps } from '../../../gateway/component.ts';
import type { Revocation } from '../identity.ts';
import type { Claims } from './verify.ts';

/** Names under which a token can be withdrawn, and when it was issued. */
export interface Marks {
  readonly ids: readonly string[];
  /** Names that other tokens share: only what was issued before the withdrawal is meant. */
  readonly shared: readonly string[];
  /** Epoch milliseconds; undefined: before everything. */
  readonly issued: number | undefined;
}

interface Entry {
  readonly at: number;
  readonly until: number;
}

const COLLECTION = 'oauth-revoked';
const PAGE = 500;

export class Revocations {
  readonly #deps: PartDeps;
  /** Milliseconds: nothing that is accepted lives longer. */
  readonly #longest: number;
  readonly #entries = new Map<string, Entry>();
  #stop: () => void = () => undefined;
  readonly #listeners = new Set<() => void>();
  #fault: string | undefined;

  private constructor(deps: PartDeps, longest: number) {
    this.#deps = deps;
    this.#longest = longest;
  }

  static async open(deps: PartDeps, longest: number): Promise<Revocations> {
    const all = new Revocations(deps, longest);
    // Watched first: what is withdrawn while the list is read is not missed.
    all.#stop = deps.store.records.watch(deps.tenant, COLLECTION, (key) => void all.#changed(key));
    await all.#readAll();
    return all;
  }

  /** Why withdrawals of other replicas may be unknown here. */
  get fault(): string | undefined {
    return this.#fault;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#stop();
  }

  async add(revocation: Revocation): Promise<void> {
    const { clock, store, tenant } = this.#deps;
    const at = clock.now();
    const entry = { at, until: revocation.until ?? at + this.#longest };
    this.#keep(nameOf(revocation), entry);
    const write = { value: JSON.stringify(entry), expected: 'any', expires: entry.until } as const;
    await store.records.put(tenant, COLLECTION, nameOf(revocation), write);
  }

  meet({ ids, shared, issued }: Marks): boolean {
    if (this.#entries.size === 0) return false;
    if (ids.some((name) => this.#entries.has(name))) return true;
    return shared.some((name) => (issued ?? 0) <= (this.#entries.get(name)?.at ?? -1));
  }

  #keep(name: string, entry: Entry): void {
    const now = this.#deps.clock.now();
    for (const [old, { until }] of this.#entries) if (until <= now) this.#entries.delete(old);
    this.#entries.set(name, entry);
    for (const told of this.#listeners) told();
  }

  async #changed(name: string | undefined): Promise<void> {
    try {
      await (name === undefined || this.#fault !== undefined ? this.#readAll() : this.#readOne(name));
      this.#fault = undefined;
    } catch (error) {
      this.#fault = 'withdrawn tokens could not be read from the store';
      this.#deps.log.error({ err: error }, this.#fault);
    }
  }

  async #readOne(name: string): Promise<void> {
    const { store, tenant } = this.#deps;
    const found = await store.records.get(tenant, COLLECTION, name);
    if (found) this.#keep(name, JSON.parse(found.value) as Entry);
  }

  async #readAll(): Promise<void> {
    const { store, tenant } = this.#deps;
    let after: string | undefined;
    do {
      const page = { limit: PAGE, ...(after === undefined ? {} : { after }) };
      const { records, next } = await store.records.list(tenant, COLLECTION, page);
      for (const { key, value } of records) this.#keep(key, JSON.parse(value) as Entry);
      after = next;
    } while (after !== undefined);
  }
}

export function marksOf(sha256: string, issuer: string, { jti, sub, sid, iat }: Claims): Marks {
  const named = (by: 'id' | 'session' | 'subject', value: unknown): string[] =>
    typeof value === 'string' ? [nameOf({ by, issuer, value })] : [];
  return {
    ids: [nameOf({ by: 'token', sha256 }), ...named('id', jti)],
    shared: [...named('session', sid), ...named('subject', sub)],
    issued: iat === undefined ? undefined : iat * 1000,
  };
}

/** Hashed: a name in the store is short, and says nothing about who was withdrawn. */
function nameOf(revocation: Revocation): string {
  if (revocation.by === 'token') return `token:${revocation.sha256}`;
  const { by, issuer, value } = revocation;
  return `${by}:${createHash('sha256').update(`${issuer} ${value}`).digest('hex')}`;
}
