/**
 * The contract of the store: everything the gateway must remember between two calls, two replicas, two starts.
 *
 * What every implementation promises:
 * - **Tenants are walls.** `tenant` leads every key; no method reads or changes a row of another tenant.
 * - **Durable.** A write that resolved survives a crash of the process and a loss of power. It must not resolve before
 *   that (SQLite: WAL with `synchronous=FULL`, commits grouped; PostgreSQL: `fsync` and `synchronous_commit` on).
 * - **Atomic.** A write that rejected changed nothing, or its outcome is unknown because the connection broke. Callers
 *   fail closed on both; writing again with the same expected version is safe.
 * - **Read your writes.** A read that begins after a write resolved sees it, in every process.
 * - **Time** is milliseconds since the Unix epoch, from the clock given at opening. Replicas keep their clocks together
 *   (NTP); where a skewed clock could do harm the promise says what holds.
 * - **Nothing fills up.** What ended is removed: not before its promise allows, and within days.
 * - **Names** are well-formed, non-empty, free of NUL, and at most as many bytes of UTF-8 as `LIMITS` says; anything
 *   else throws a `StoreError` before anything is written.
 *
 * `store.suite.ts` states these promises as tests; a new implementation runs it.
 */
import type { z } from 'zod';
import type { Clock } from '../../lib/clock.ts';

export interface Store {
  readonly records: Records;
  readonly leases: Leases;
  readonly uses: Uses;
  readonly counters: Counters;
  readonly definitions: Definitions;
  /** Whether the database answers within two seconds. Never rejects. */
  health(): Promise<Health>;
  /** Resolves when what was asked for is answered and every handle is free. Later requests reject. */
  close(): Promise<void>;
}

export type Health = { readonly ok: true } | { readonly ok: false; readonly fault: string };

/** One implementation of the store: its name in the configuration, its schema, its door. */
export interface StoreComponent<Config> {
  readonly use: string;
  readonly config: z.ZodType<Config>;
  /** Creates or migrates the database, then opens it. Several processes may do so at once. */
  open(config: Config, deps: { readonly clock: Clock }): Promise<Store>;
}

// ── Records ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Small documents by key: tickets, grants, pins, agents, runs. An expired record does not exist for any method. */
export interface Records {
  get(tenant: string, collection: string, key: string): Promise<StoredRecord | undefined>;

  /**
   * Writes a record if what is there is what the caller expects; resolves to the new version or to `conflict`, and
   * then nothing changed. Of any number of racing writers that expect the same version exactly one wins.
   * `value` is JSON text and comes back byte by byte.
   */
  put(
    tenant: string,
    collection: string,
    key: string,
    write: { readonly value: string; readonly expected: Expected; readonly expires?: number },
  ): Promise<number | 'conflict'>;

  /** Removes the record if its version is the expected one. True if this call removed it. */
  remove(tenant: string, collection: string, key: string, expected: number | 'any'): Promise<boolean>;

  /**
   * Up to `limit` records whose key begins with `prefix`, by code point order of the key. `next` is there when more
   * follow: pass it as `after`. A record that exists all along is listed exactly once, whatever changes meanwhile.
   */
  list(tenant: string, collection: string, page: Page): Promise<{ records: readonly StoredRecord[]; next?: string }>;

  /**
   * Calls `onChange` after every change that any process made in the collection, at least once per change: at once for
   * this process, within seconds for others. Without a key anything may have changed: read again what matters.
   * The end of a record by expiry is not told. Returns the way to stop.
   */
  watch(tenant: string, collection: string, onChange: (key: string | undefined) => void): () => void;
}

export interface StoredRecord {
  readonly key: string;
  readonly value: string;
  /** Grows with every put. A key that was removed or had expired never gets back a version it had before. */
  readonly version: number;
  readonly expires?: number;
}

/** `absent`: there is none. A number: its version. `any`: whatever there is, or nothing. */
export type Expected = number | 'absent' | 'any';

export interface Page {
  readonly prefix?: string;
  readonly after?: string;
  readonly limit: number;
}

// ── Leases ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** "Only one at a time", over all processes: who rotates keys, who runs a server that may run once. */
export interface Leases {
  /**
   * Takes the lease if nobody holds it, for `ttl` milliseconds. A holder that asks again does not get it twice.
   * A holder can always be late (a pause, a skewed clock): what the lease protects must refuse a lower `fence`.
   */
  acquire(tenant: string, name: string, holder: string, ttl: number): Promise<Acquired>;
  /** The lease with a new end, or `lost` when it ended or another holds it. */
  renew(lease: Lease, ttl: number): Promise<Lease | 'lost'>;
  /** Gives the lease back at once. Nothing happens if it was lost. */
  release(lease: Lease): Promise<void>;
}

export interface Lease {
  readonly tenant: string;
  readonly name: string;
  readonly holder: string;
  /** Greater than that of every earlier lease of this name. */
  readonly fence: number;
  readonly until: number;
}

export type Acquired =
  | { readonly ok: true; readonly lease: Lease }
  | { readonly ok: false; readonly holder: string; readonly until: number };

// ── Single use ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** Tokens, approvals and nonces that count once. */
export interface Uses {
  /**
   * True exactly once for a name, over all processes, at least until `until` and with an hour to spare for skewed
   * clocks. False when `until` is past. The caller must refuse what the name stands for after `until`.
   */
  consume(tenant: string, name: string, until: number): Promise<boolean>;
}

// ── Counters ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Sums over a window of time, for quotas. Replicas take blocks of tokens, not single ones. */
export interface Counters {
  /**
   * Adds `amount` (an integer; negative gives back) unless the total would pass `limit`; then nothing is added and
   * `ok` is false. The total never passes the limit, whoever races. A window is told apart by its start.
   */
  add(
    tenant: string,
    name: string,
    window: { readonly start: number; readonly end: number },
    amount: number,
    limit?: number,
  ): Promise<{ readonly ok: boolean; readonly total: number }>;
}

// ── Definitions ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Every definition that any MCP server ever showed, word by word, with its history. Nothing here is removed. */
export interface Definitions {
  /**
   * Keeps what a server shows now, all or nothing, and tells for each, in order, whether it is `new`, `changed` or
   * `known` (its digest is the current one; then `lastSeen` moves). Of two replicas that see the same novelty one is told.
   * The same kind and name twice in one call throws: such a listing is ambiguous.
   */
  see(tenant: string, server: string, shown: readonly ShownDefinition[]): Promise<readonly Sighting[]>;
  /** The current version of one definition, the server showing it still or not: compare `lastSeen`. */
  current(tenant: string, server: string, kind: DefinitionKind, name: string): Promise<Definition | undefined>;
  /** The current versions of all definitions of a server, by kind and name. */
  all(tenant: string, server: string): Promise<readonly Definition[]>;
  /** Up to `limit` versions of one definition, newest first. */
  history(
    tenant: string,
    server: string,
    kind: DefinitionKind,
    name: string,
    limit: number,
  ): Promise<readonly Definition[]>;
  /** Calls `onChange` with the server of every new or changed definition, as `Records.watch` does. */
  watch(tenant: string, onChange: (server: string | undefined) => void): () => void;
}

export type DefinitionKind = 'server' | 'tool' | 'prompt' | 'resource' | 'template';
export type Sighting = 'new' | 'changed' | 'known';

export interface ShownDefinition {
  readonly kind: DefinitionKind;
  readonly name: string;
  /** SHA-256 over the canonical form, hexadecimal: what tells two versions apart. */
  readonly digest: string;
  /** The exact JSON text in which the server showed it. */
  readonly body: string;
}

export interface Definition extends ShownDefinition {
  readonly server: string;
  /** 1 for the first version ever seen, then 2, 3 … A version that comes back counts again. */
  readonly ordinal: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** When another version took its place; absent while it is the current one. */
  readonly replaced?: number;
}

// ── Limits and errors ────────────────────────────────────────────────────────────────────────────────────────────────

/** Bytes of UTF-8. Together they stay below an index row of PostgreSQL (2,704) and a notification (8,000). */
export const LIMITS = { short: 128, key: 1_024, definition: 2_048, value: 16 * 1024 * 1024 } as const;

export type StoreErrorCode =
  | 'STORE_BAD_NAME' // a name or value breaks the rules above
  | 'STORE_UNAVAILABLE' // the database did not answer, or refused
  | 'STORE_NOT_DURABLE' // the database is set up to lose what it confirmed
  | 'STORE_NEWER' // the database was migrated by a newer version
  | 'STORE_CLOSED';

/** A broken thing, never a decision. Its message names no value that was stored. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
