import { randomInt } from 'node:crypto';
import type { CompiledQuery, ExpressionBuilder, ExpressionWrapper, SqlBool } from 'kysely';
import type { Clock } from '../../../lib/clock.ts';
import { LIMITS, type Expected, type Records, type StoredRecord } from '../store.ts';
import { recordsTopic, type Database } from './database.ts';
import { endOfPrefix, integer, keyPart, storable } from './names.ts';
import type { Tables } from './tables.ts';
import type { Watchers } from './watchers.ts';

const COLUMNS = ['key', 'value', 'version', 'expires'] as const;

interface Address {
  readonly tenant: string;
  readonly collection: string;
  readonly key: string;
}

interface Content {
  readonly value: string;
  readonly expires: number | null;
}

export function recordsIn(db: Database, clock: Clock, watchers: Watchers): Records {
  const find = (address: Address) =>
    db.sql
      .selectFrom('records')
      .select(COLUMNS)
      .where((eb) => eb.and({ ...address }))
      .where(living(clock));

  return {
    get: async (tenant, collection, key) => {
      const [row] = await db.read(find(addressOf(tenant, collection, key)).compile());
      return row && recordOf(row);
    },

    put: async (tenant, collection, key, { value, expected, expires }) => {
      const address = addressOf(tenant, collection, key);
      const content = { value: storable('value', value, LIMITS.value), expires: expires ?? null };
      const [[row]] = await db.write(putStatement(db, clock, address, content, expected));
      return row?.version ?? 'conflict';
    },

    remove: async (tenant, collection, key, expected) => {
      let statement = db.sql.deleteFrom('records').where((eb) => eb.and({ ...addressOf(tenant, collection, key) }));
      if (expected !== 'any') statement = statement.where('version', '=', expected);
      const [[row]] = await db.write(statement.where(living(clock)).returning('version').compile());
      return row !== undefined;
    },

    list: async (tenant, collection, { prefix = '', after, limit }) => {
      const end = endOfPrefix(storable('prefix', prefix, LIMITS.key));
      let page = db.sql.selectFrom('records').select(COLUMNS).where('tenant', '=', keyPart('tenant', tenant));
      page = page.where('collection', '=', keyPart('collection', collection)).where('key', '>=', prefix);
      if (end !== undefined) page = page.where('key', '<', end);
      if (after !== undefined) page = page.where('key', '>', storable('after', after, LIMITS.key));
      page = page
        .where(living(clock))
        .orderBy('key')
        .limit(integer('limit', limit) + 1);
      return pageOf((await db.read(page.compile())).map(recordOf), limit);
    },

    watch: (tenant, collection, onChange) => watchers.watch(tenant, recordsTopic(collection), onChange),
  };
}

const living =
  (clock: Clock) =>
  (eb: ExpressionBuilder<Tables, 'records'>): ExpressionWrapper<Tables, 'records', SqlBool> =>
    eb.or([eb('expires', 'is', null), eb('expires', '>', clock.now())]);

function putStatement(
  db: Database,
  clock: Clock,
  address: Address,
  content: Content,
  expected: Expected,
): CompiledQuery<{ version: number }> {
  if (typeof expected === 'number') return replaceStatement(db, clock, address, content, expected);
  return db.sql
    .insertInto('records')
    .values({ ...address, ...content, version: firstVersion() })
    .onConflict((conflict) => {
      const update = conflict
        .columns(['tenant', 'collection', 'key'])
        .doUpdateSet((eb) => ({ ...content, version: eb('records.version', '+', 1) }));
      // An expired record that nobody swept yet counts as absent.
      return expected === 'any' ? update : update.where('records.expires', '<=', clock.now());
    })
    .returning('version')
    .compile();
}

function replaceStatement(
  db: Database,
  clock: Clock,
  address: Address,
  content: Content,
  expected: number,
): CompiledQuery<{ version: number }> {
  return db.sql
    .updateTable('records')
    .set((eb) => ({ ...content, version: eb('version', '+', 1) }))
    .where((eb) => eb.and({ ...address, version: expected }))
    .where(living(clock))
    .returning('version')
    .compile();
}

// A record starts at a random version: someone who still holds a version of a removed namesake must not win with it.
const firstVersion = (): number => randomInt(1, 2 ** 48 - 1);

function addressOf(tenant: string, collection: string, key: string): Address {
  return {
    tenant: keyPart('tenant', tenant),
    collection: keyPart('collection', collection),
    key: keyPart('key', key, LIMITS.key),
  };
}

function recordOf({ expires, ...record }: Pick<Tables['records'], (typeof COLUMNS)[number]>): StoredRecord {
  return expires === null ? record : { ...record, expires };
}

function pageOf(rows: readonly StoredRecord[], limit: number): { records: readonly StoredRecord[]; next?: string } {
  const records = rows.slice(0, limit);
  const last = records.at(-1);
  return rows.length > limit && last ? { records, next: last.key } : { records };
}
