/**
 * Programs that hold a key which this gateway made (`sallyport key create`). All keys stand in memory by a part of their hash,
 * so that the ten-thousandth costs what the first does, and a wrong key asks nothing of anybody: there is nothing to fill up
 * and nothing to slow down. Changes of any replica come from the store.
 */
import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { defineComponent, type Health, type PartDeps } from '../../../gateway/component.ts';
import { principalKey, type Principal } from '../../../gateway/principal.ts';
import type { Identified, Identity } from '../identity.ts';
import { all, COLLECTION, endOf, idOf, KEY, keptIn, PREFIX, sha256, USES, type KeptKey } from './keys.ts';

export const apiKey = defineComponent({
  kind: 'identity',
  use: 'api-key',
  config: z.strictObject({}).describe('Keys that this gateway makes: `sallyport key create`.'),
  create: (_config, deps): Promise<Identity> => ApiKeys.open(deps),
});

interface Known {
  readonly hash: Buffer;
  readonly ends: number;
  readonly principal: Principal;
}

const CHALLENGE = 'Bearer realm="sallyport"';
const NOBODY = Buffer.alloc(32);
const HOUR = 3_600_000;
const LONGEST = 2 ** 31 - 1;
/** Milliseconds until a store that did not answer is asked again. */
const AGAIN = 1_000;

class ApiKeys implements Identity {
  readonly #deps: PartDeps;
  readonly #known = new Map<string, Known>();
  readonly #ids = new Map<string, readonly string[]>();
  /** The hour of the last use that is on record. */
  readonly #used = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  #reading: Promise<void> = Promise.resolve();
  #writing: Promise<unknown> = Promise.resolve();
  #stop: () => void = () => undefined;
  #expiry: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #fault: string | undefined;

  private constructor(deps: PartDeps) {
    this.#deps = deps;
  }

  static async open(deps: PartDeps): Promise<ApiKeys> {
    const keys = new ApiKeys(deps);
    keys.#stop = deps.store.records.watch(deps.tenant, COLLECTION, (name) => void keys.#refresh(name));
    await keys.#readAll();
    keys.#awaitExpiry();
    return keys;
  }

  identify(arrival: Parameters<Identity['identify']>[0]): Identified {
    const token = /^bearer +(\S+)$/i.exec(arrival.header('authorization') ?? '')?.[1];
    if (token === undefined || !token.startsWith(PREFIX)) return { known: false, why: 'absent', challenge: CHALLENGE };
    if (!KEY.test(token)) return rejected('not the form of a key');
    const hash = sha256(token);
    const id = idOf(hash);
    const found = this.#known.get(id);
    if (!timingSafeEqual(hash, found?.hash ?? NOBODY) || !found) return rejected('no such key');
    if (this.#deps.clock.now() >= found.ends) return rejected(`the key ${id} has expired`);
    this.#use(id);
    return { known: true, principal: found.principal };
  }

  holds({ proof, claims }: Principal): boolean {
    if (proof.use !== 'api-key') return true;
    const id = claims?.['key'];
    const found = typeof id === 'string' ? this.#known.get(id) : undefined;
    return found !== undefined && this.#deps.clock.now() < found.ends;
  }

  onRevoked(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  health(): Health {
    if (this.#fault === undefined) return { state: 'live' };
    return { state: 'degraded', detail: `keys may be out of date, the store does not answer: ${this.#fault}` };
  }

  async close(): Promise<void> {
    this.#stop();
    clearTimeout(this.#expiry);
    clearTimeout(this.#again);
    await this.#reading;
    await this.#writing;
  }

  // ---- kept the same as the store -----------------------------------------------------------------------------

  /** One after the other: an older answer never overwrites a newer one. */
  #refresh(name: string | undefined): Promise<void> {
    this.#reading = this.#reading.then(() => this.#read(name)).then(() => this.#moved());
    return this.#reading;
  }

  async #read(name: string | undefined): Promise<void> {
    try {
      if (name === undefined) await this.#readAll();
      else await this.#readOne(name);
      this.#fault = undefined;
    } catch (error) {
      this.#fault = error instanceof Error ? error.message : String(error);
      this.#deps.log.error({ err: error }, 'API keys could not be read; those known stay in force');
      clearTimeout(this.#again);
      this.#again = setTimeout(() => void this.#refresh(undefined), AGAIN).unref();
    }
  }

  async #readAll(): Promise<void> {
    const { store, tenant } = this.#deps;
    const records = await all(store.records, tenant, COLLECTION);
    const names = new Set(records.map(({ key }) => key));
    for (const name of this.#ids.keys()) if (!names.has(name)) this.#take(name, undefined);
    for (const record of records) this.#take(record.key, keptIn(record));
  }

  async #readOne(name: string): Promise<void> {
    const record = await this.#deps.store.records.get(this.#deps.tenant, COLLECTION, name);
    this.#take(name, record && keptIn(record));
  }

  #take(name: string, kept: KeptKey | undefined): void {
    for (const id of this.#ids.get(name) ?? []) this.#known.delete(id);
    this.#ids.delete(name);
    if (!kept) return;
    this.#ids.set(
      name,
      kept.keys.map(({ id }) => id),
    );
    for (const key of kept.keys) this.#known.set(key.id, knownKey(kept, key, this.#deps.tenant));
  }

  #moved(): void {
    this.#awaitExpiry();
    for (const listener of this.#listeners) listener();
  }

  /** A rotated key ends earlier than those who came with it were told. */
  #awaitExpiry(): void {
    clearTimeout(this.#expiry);
    const now = this.#deps.clock.now();
    let next = Infinity;
    for (const { ends } of this.#known.values()) if (ends > now && ends < next) next = ends;
    if (next === Infinity) return;
    this.#expiry = setTimeout(() => this.#moved(), Math.min(LONGEST, next - now)).unref();
  }

  /** To the hour: who looks for unused keys needs no more, and a call need not wait for a write. */
  #use(id: string): void {
    const hour = Math.floor(this.#deps.clock.now() / HOUR);
    if (this.#used.get(id) === hour) return;
    this.#used.set(id, hour);
    const { store, tenant, log } = this.#deps;
    const value = new Date(hour * HOUR).toISOString();
    this.#writing = store.records
      .put(tenant, USES, id, { value, expected: 'any' })
      .catch((error: unknown) => log.warn({ err: error }, 'the last use of an API key could not be noted'));
  }
}

function rejected(detail: string): Identified {
  return { known: false, why: 'rejected', detail, challenge: `${CHALLENGE}, error="invalid_token"` };
}

function knownKey(kept: KeptKey, key: KeptKey['keys'][number], tenant: string): Known {
  const { name, owner, agent, groups, servers, actions } = kept;
  const ends = endOf(key);
  const narrowed = servers !== undefined || actions !== undefined;
  const reach = { ...(servers && { servers }), ...(actions && { actions }) };
  const principal: Principal = {
    key: principalKey(tenant, 'api-key', name, agent),
    tenant,
    issuer: 'api-key',
    subject: name,
    agent,
    person: undefined,
    groups,
    chain: [],
    proof: { use: 'api-key', strength: 'bearer' },
    claims: { key: key.id, owner },
    expires: ends === Infinity ? undefined : ends,
    ...(narrowed && { reach: [reach] }),
  };
  return { hash: Buffer.from(key.hash, 'hex'), ends, principal };
}
