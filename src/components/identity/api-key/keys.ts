/**
 * API keys as they are kept: by name, each with the keys that may be used under it now. What is kept of a key is its SHA-256:
 * of 256 random bits nothing slower is needed, and whoever reads the store has no key.
 */
import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { PartDeps } from '../../../gateway/component.ts';
import { instant, line } from '../../../lib/line.ts';

type Records = PartDeps['store']['records'];
type StoredRecord = NonNullable<Awaited<ReturnType<Records['get']>>>;

export const COLLECTION = 'api-keys';
/** When a key was last used, to the hour: apart, so that use is no change of a key. */
export const USES = 'api-key-uses';

/** Recognizable to people and to scanners of repositories. */
export const PREFIX = 'spk_';
export const KEY = /^spk_[A-Za-z0-9_-]{43}$/;

export const keyName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'a name: a-z, 0-9, ".", "_" and "-", at most 64 characters')
  .describe('Name of the key: the subject that policy and records see. It stays when the key is rotated.');

const scope = {
  owner: line(256).describe('Who answers for it: a person or a team.'),
  agent: line(128).optional().describe('The agent that it is for.'),
  groups: z.array(line(128)).max(64).default([]).describe('Groups that policy sees.'),
  servers: z.array(line(64)).max(256).optional().describe('Servers that it reaches. Absent: policy alone decides.'),
  actions: z
    .array(line(128))
    .max(64)
    .optional()
    .describe('Actions that it reaches, such as `tool.list` or `tool.*`. Absent: policy alone decides.'),
};

export const newKey = z
  .strictObject({ name: keyName, ...scope, expires: instant.optional().describe('When it ends (RFC 3339).') })
  .describe('An API key to make.');

const one = z.strictObject({
  id: z.string().describe('Names the key in records; says nothing about it.'),
  created: z.string().describe('RFC 3339.'),
  expires: z.string().optional().describe('RFC 3339.'),
});

const kept = z.strictObject({ name: keyName, ...scope, keys: z.array(one.extend({ hash: z.string() })).min(1) });

export const shownKey = z
  .strictObject({
    name: keyName,
    ...scope,
    keys: z.array(one.extend({ used: z.string().optional().describe('Last use, to the hour (RFC 3339).') })),
  })
  .describe('An API key, and the keys that may be used under its name now.');

export type NewKey = z.infer<typeof newKey>;
export type KeptKey = z.infer<typeof kept>;
export type ShownKey = z.infer<typeof shownKey>;

/** `key` is shown once: only its hash is kept. */
export type Made =
  | { readonly ok: true; readonly key: string; readonly id: string; readonly expires?: string }
  | { readonly ok: false; readonly why: 'taken' | 'unknown' | 'conflict' };

export function keptIn({ value }: StoredRecord): KeptKey {
  return kept.parse(JSON.parse(value));
}

export function sha256(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** 64 bits of the hash: enough to find a key by, and no help in guessing it. */
export function idOf(hash: Buffer): string {
  return hash.toString('hex', 0, 8);
}

/** What an administrator does with keys. Parts that know them are told by the store. */
export class KeyShelf {
  readonly #records: Records;
  readonly #tenant: string;
  readonly #now: () => number;

  constructor(records: Records, tenant: string, now: () => number) {
    this.#records = records;
    this.#tenant = tenant;
    this.#now = now;
  }

  async create({ expires, ...rest }: NewKey): Promise<Made> {
    const made = this.#make(expires);
    return this.#put({ ...rest, keys: [made.kept] }, 'absent', made.key);
  }

  /** Another key under the same name; those before it count for `overlap` milliseconds more, or until they end. */
  async rotate(name: string, overlap: number, expires: string | undefined): Promise<Made> {
    const record = await this.#records.get(this.#tenant, COLLECTION, name);
    if (!record) return { ok: false, why: 'unknown' };
    const before = keptIn(record);
    const made = this.#make(expires);
    const until = this.#now() + overlap;
    const old = before.keys.map((key) => endingAt(key, until)).filter((key) => endOf(key) > this.#now());
    return this.#put({ ...before, keys: [...old, made.kept] }, record.version, made.key);
  }

  /** One key, or all under the name. False: there is none. */
  async revoke(name: string, id?: string): Promise<boolean> {
    const record = await this.#records.get(this.#tenant, COLLECTION, name);
    if (!record) return false;
    const before = keptIn(record);
    const left = id === undefined ? [] : before.keys.filter((key) => key.id !== id);
    if (left.length === before.keys.length) return false;
    if (left.length === 0) return this.#records.remove(this.#tenant, COLLECTION, name, record.version);
    const value = JSON.stringify({ ...before, keys: left });
    return (
      (await this.#records.put(this.#tenant, COLLECTION, name, { value, expected: record.version })) !== 'conflict'
    );
  }

  async list(): Promise<readonly ShownKey[]> {
    const uses = new Map((await all(this.#records, this.#tenant, USES)).map(({ key, value }) => [key, value]));
    return (await all(this.#records, this.#tenant, COLLECTION)).map((record) => shown(keptIn(record), uses));
  }

  #make(expires: string | undefined): { readonly key: string; readonly kept: KeptKey['keys'][number] } {
    const key = PREFIX + randomBytes(32).toString('base64url');
    const hash = sha256(key);
    const created = new Date(this.#now()).toISOString();
    const ends = expires === undefined ? {} : { expires };
    return { key, kept: { id: idOf(hash), hash: hash.toString('hex'), created, ...ends } };
  }

  async #put(record: KeptKey, expected: number | 'absent', key: string): Promise<Made> {
    const value = JSON.stringify(kept.parse(record));
    const written = await this.#records.put(this.#tenant, COLLECTION, record.name, { value, expected });
    if (written === 'conflict') return { ok: false, why: expected === 'absent' ? 'taken' : 'conflict' };
    const { id, expires } = record.keys.at(-1)!;
    return { ok: true, key, id, ...(expires === undefined ? {} : { expires }) };
  }
}

export function endOf({ expires }: { readonly expires?: string | undefined }): number {
  return expires === undefined ? Infinity : Date.parse(expires);
}

function endingAt(key: KeptKey['keys'][number], until: number): KeptKey['keys'][number] {
  return { ...key, expires: new Date(Math.min(until, endOf(key))).toISOString() };
}

function shown({ keys, ...rest }: KeptKey, uses: ReadonlyMap<string, string>): ShownKey {
  const each = keys.map(({ id, created, expires }) => {
    const used = uses.get(id);
    return { id, created, ...(expires === undefined ? {} : { expires }), ...(used === undefined ? {} : { used }) };
  });
  return { ...rest, keys: each };
}

const PAGE = 1_000;

export async function all(records: Records, tenant: string, collection: string): Promise<readonly StoredRecord[]> {
  const found: StoredRecord[] = [];
  for (let after: string | undefined; ;) {
    const page = await records.list(tenant, collection, { limit: PAGE, ...(after === undefined ? {} : { after }) });
    found.push(...page.records);
    if (page.next === undefined) return found;
    after = page.next;
  }
}
