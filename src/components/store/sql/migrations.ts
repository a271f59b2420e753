/** The one list of migrations for both families. Append only: what has shipped never changes. */
import { CompiledQuery } from 'kysely';
import { StoreError } from '../store.ts';
import type { Database, Ddl } from './database.ts';

const migrations: readonly ((ddl: Ddl) => readonly string[])[] = [
  ({ text, integer, end, announcing }) => [
    `create table records (tenant ${text} not null, collection ${text} not null, "key" ${text} not null,
       value ${text} not null, version ${integer} not null, expires ${integer},
       primary key (tenant, collection, "key"))${end}`,
    `create index records_by_expiry on records (expires) where expires is not null`,
    `create table leases (tenant ${text} not null, name ${text} not null, holder ${text} not null,
       fence ${integer} not null, ends ${integer} not null, primary key (tenant, name))${end}`,
    `create index leases_by_end on leases (ends)`,
    `create table uses (tenant ${text} not null, name ${text} not null, ends ${integer} not null,
       primary key (tenant, name))${end}`,
    `create index uses_by_end on uses (ends)`,
    `create table counters (tenant ${text} not null, name ${text} not null, starts ${integer} not null,
       ends ${integer} not null, total ${integer} not null, primary key (tenant, name, starts))${end}`,
    `create index counters_by_end on counters (ends)`,
    `create table servers (tenant ${text} not null, server ${text} not null, seen ${integer} not null,
       primary key (tenant, server))${end}`,
    `create table definitions (tenant ${text} not null, server ${text} not null, kind ${text} not null,
       name ${text} not null, ordinal ${integer} not null, digest ${text} not null, body ${text} not null,
       first_seen ${integer} not null, last_seen ${integer} not null, replaced ${integer},
       primary key (tenant, server, kind, name, ordinal))${end}`,
    `create unique index definitions_current on definitions (tenant, server, kind, name) where replaced is null`,
    ...announcing,
  ],
];

/**
 * Brings the database to the newest schema. Replicas that start together are told apart by the row that each migration
 * writes first: one of them writes it, the others wait, fail, and find the work done.
 */
export async function migrate(db: Database): Promise<void> {
  await createList(db);
  const done = await applied(db);
  if (done > migrations.length) throw new StoreError('STORE_NEWER', 'the database was made by a newer version');
  for (let id = done + 1; id <= migrations.length; id += 1) await apply(db, id);
}

async function apply(db: Database, id: number): Promise<void> {
  const mark = db.sql.insertInto('migrations').values({ id }).compile();
  const steps = (migrations[id - 1]?.(db.ddl) ?? []).map((step) => CompiledQuery.raw(step));
  try {
    await db.write(mark, ...steps);
  } catch (error) {
    if ((await applied(db)) < id) throw error;
  }
}

async function applied(db: Database): Promise<number> {
  const rows = await db.read(db.sql.selectFrom('migrations').select('id').compile());
  return Math.max(0, ...rows.map((row) => row.id));
}

// PostgreSQL's `if not exists` is not safe against a racing twin; the second attempt then finds the table.
async function createList(db: Database): Promise<void> {
  const create = `create table if not exists migrations (id ${db.ddl.integer} primary key)${db.ddl.end}`;
  await db.write(CompiledQuery.raw(create)).catch(() => db.write(CompiledQuery.raw(create)));
}
