/**
 * The keys under which the gateway seals its tokens, shared by all replicas. A key is published before it seals, so
 * that every replica knows it when its first token arrives; it opens until every token it sealed has expired.
 */
import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { createSealer, newKeyId, readToken, unseal, type Binding, type Claims, type Sealer } from './sealing.ts';

export type { Binding, Claims } from './sealing.ts';

/** One key at rest. Times in milliseconds since the epoch. */
export interface KeyRecord {
  readonly id: string;
  /** 32 random bytes in base64url. Never logged, never shown. */
  readonly secret: string;
  readonly created: number;
  /** Seals from here on, until a newer key starts. */
  readonly starts: number;
  /** Opens nothing from here on. */
  readonly ends: number;
}

/** Where the ring is kept. */
export interface KeyStore {
  /** All keys, oldest first. */
  load(): Promise<readonly KeyRecord[]>;
  /** Adds a key if the newest one is still `newest` (none: undefined). False: another process was first, load again. */
  add(record: KeyRecord, newest: string | undefined): Promise<boolean>;
}

export interface KeyringOptions {
  /** Milliseconds after which a key is followed by a new one. Default 30 days. */
  readonly rotateAfter?: number;
  /** The longest life of a token in milliseconds; its key outlives it. Default 30 days. */
  readonly keepFor?: number;
}

export type OpenFault = 'malformed' | 'unknown_key' | 'forged' | 'expired' | 'wrong_binding';
export type Opening =
  | { readonly ok: true; readonly claims: Claims }
  | { readonly ok: false; readonly fault: OpenFault };

export interface Keyring {
  /**
   * A token of visible ASCII ([A-Za-z0-9_-], key id in front) that only this gateway can read, only for this purpose,
   * only with this binding, only until `claims.expires`. Throws when the ring has no living key.
   */
  seal(purpose: string, claims: Claims, binding: Binding): string;
  open(purpose: string, token: string, binding: Binding): Opening;
  /** Takes over keys of other replicas and adds one when the newest is old. For a timer and the store's watch. */
  refresh(): Promise<void>;
}

const DAY = 86_400_000;
/** How long a new key is known before it seals: well above the time in which replicas hear of changes. */
const PUBLISHED_FOR = 60_000;
/** Every failed attempt to add means that another replica added: a handful is plenty. */
const ATTEMPTS = 5;

export async function openKeyring(keys: KeyStore, clock: Clock, options: KeyringOptions = {}): Promise<Keyring> {
  const { rotateAfter = 30 * DAY, keepFor = 30 * DAY } = options;
  let ring: readonly RingKey[] = [];
  let sealer: Sealer | undefined;
  let turn: Promise<void> = Promise.resolve();

  async function load(): Promise<void> {
    const records = await settle(keys, (newest) => nextKey(newest, clock.now(), rotateAfter, keepFor));
    ring = records.map((record) => ringKey(record, ring));
  }

  function currentSealer(): Sealer {
    const key = sealingKey(ring, clock.now());
    if (!key) throw new Error('the key ring has no living key');
    if (sealer?.keyId !== key.id) sealer = createSealer(key.id, key.secret);
    return sealer;
  }

  await load();
  return {
    seal: (purpose, claims, binding) => currentSealer().seal(purpose, claims, binding),
    open: (purpose, token, binding) => openToken(ring, clock.now(), purpose, token, binding),
    // One at a time: a slow load must not put an older ring over a newer one.
    refresh: () => (turn = turn.then(load, load)),
  };
}

interface RingKey {
  readonly id: string;
  readonly secret: KeyObject;
  readonly starts: number;
  readonly ends: number;
}

function ringKey({ id, secret, starts, ends }: KeyRecord, known: readonly RingKey[]): RingKey {
  return known.find((key) => key.id === id) ?? { id, starts, ends, secret: createSecretKey(secret, 'base64url') };
}

/** The newest key that has started; where none has (another's clock is ahead), the oldest. */
function sealingKey(ring: readonly RingKey[], now: number): RingKey | undefined {
  const living = ring.filter((key) => now < key.ends);
  return living.findLast((key) => key.starts <= now) ?? living[0];
}

function openToken(ring: readonly RingKey[], now: number, purpose: string, token: string, binding: Binding): Opening {
  const read = readToken(token);
  if (!read) return refused('malformed');
  const key = ring.find(({ id }) => id === read.keyId);
  if (!key || now >= key.ends) return refused('unknown_key');
  const claims = unseal(key.secret, read.bytes, purpose, binding);
  if (typeof claims === 'string') return refused(claims);
  // Written so that a claim that is no number counts as expired.
  return now < claims.expires ? { ok: true, claims } : refused('expired');
}

const refused = (fault: OpenFault): Opening => ({ ok: false, fault });

/** Adds the key that is due, if one is, and gives the ring that all replicas agree on. */
async function settle(
  keys: KeyStore,
  due: (newest: KeyRecord | undefined) => KeyRecord | undefined,
): Promise<readonly KeyRecord[]> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const records = await keys.load();
    const newest = records.at(-1);
    const record = due(newest);
    if (!record) return records;
    if (await keys.add(record, newest?.id)) return [...records, record];
  }
  throw new Error('the key ring changes faster than it can be read');
}

function nextKey(
  newest: KeyRecord | undefined,
  now: number,
  rotateAfter: number,
  keepFor: number,
): KeyRecord | undefined {
  if (newest && now < newest.created + rotateAfter) return undefined;
  // Nothing can be sealed before the first key: it starts at once. So does one whose predecessor has ended.
  const starts = newest && now + PUBLISHED_FOR < newest.ends ? now + PUBLISHED_FOR : now;
  const secret = randomBytes(32).toString('base64url');
  return { id: newKeyId(), secret, created: now, starts, ends: starts + rotateAfter + keepFor + PUBLISHED_FOR };
}
