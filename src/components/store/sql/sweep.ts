import { sql, type CompiledQuery } from 'kysely';
import type { Clock } from '../../../lib/clock.ts';
import type { Database } from './database.ts';

const EVERY = 60_000;
/** Rows that one round may take from a table, so that no round holds up the writers behind it. */
const ROUND = 1_000;
const HOUR = 3_600_000;

/** What ended, and how long ago at least. Clocks of replicas differ: a used token must not come back to life by that. */
const swept = [
  { table: 'records', key: 'tenant, collection, "key"', end: 'expires', grace: 24 * HOUR },
  { table: 'leases', key: 'tenant, name', end: 'ends', grace: 24 * HOUR },
  { table: 'uses', key: 'tenant, name', end: 'ends', grace: HOUR },
  { table: 'counters', key: 'tenant, name, starts', end: 'ends', grace: HOUR },
] as const;

/** Removes what has long ended, a little at a time. Nothing is late to be seen as ended because of it. */
export async function sweep(db: Database, clock: Clock): Promise<void> {
  for (const { table, key, end, grace } of swept) await db.write(statement(db, table, key, end, clock.now() - grace));
}

function statement(db: Database, table: string, key: string, end: string, before: number): CompiledQuery {
  return sql`delete from ${sql.table(table)} where (${sql.raw(key)}) in (
    select ${sql.raw(key)} from ${sql.table(table)} where ${sql.ref(end)} < cast(${before} as bigint) limit ${sql.lit(ROUND)}
  )`.compile(db.sql);
}

/** Sweeps every minute until stopped. A sweep that fails is tried again in the next round: nothing depends on it. */
export function keepSweeping(db: Database, clock: Clock): () => void {
  const timer = setInterval(() => void sweep(db, clock).catch(() => undefined), EVERY).unref();
  return () => clearInterval(timer);
}
