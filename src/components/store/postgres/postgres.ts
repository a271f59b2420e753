/** The fleet family: PostgreSQL 15 or later, shared by any number of equal replicas. */
import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type CompiledQuery,
} from 'kysely';
import { DatabaseError, Pool, types, type ClientConfig, type CustomTypesConfig, type PoolClient } from 'pg';
import { z } from 'zod';
import type { Announce, Database, RowsOf } from '../sql/database.ts';
import { openSqlStore } from '../sql/sql-store.ts';
import type { Tables } from '../sql/tables.ts';
import { StoreError, type StoreComponent } from '../store.ts';
import { ddl } from './ddl.ts';
import { Listener } from './listener.ts';

const config = z.strictObject({
  url: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'expected postgres://user:password@host:port/database')
    .describe('Where the database is. It holds a password: write it as a ${…} reference.'),
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, 'expected lower-case letters, digits and _')
    .default('sallyport')
    .describe('Schema of the tables, created when absent.'),
  connections: z.int().min(1).max(200).default(8).describe('Most connections of one replica; one more listens.'),
});

type Config = z.infer<typeof config>;

export const postgres: StoreComponent<Config> = {
  use: 'postgres',
  config,
  open: (config, { clock }) => openSqlStore((announce) => connect(config, announce), clock),
};

const INT8 = 20;
const CONNECT_WITHIN = 5_000;
const ANSWER_WITHIN = 10_000;

async function connect({ url, schema, connections }: Config, announce: Announce): Promise<Database> {
  const client = clientConfig(url, schema);
  const pool = new Pool({ ...client, max: connections });
  // A connection that breaks while idle is replaced by the pool; who uses one gets the error of the query.
  pool.on('error', () => undefined);
  try {
    await prepare(pool, schema);
    const listener = await Listener.start(client, schema, announce);
    return database(pool, listener);
  } catch (error) {
    await pool.end();
    throw fault(error);
  }
}

const clientConfig = (url: string, schema: string): ClientConfig => ({
  connectionString: url,
  options: `-c search_path=${schema} -c default_transaction_isolation=read\\ committed`,
  application_name: 'sallyport',
  connectionTimeoutMillis: CONNECT_WITHIN,
  query_timeout: ANSWER_WITHIN,
  keepAlive: true,
  types: numbersForBigints,
});

// pg gives bigint as text because it may not fit a double. Every bigint of ours does: times, versions, safe integers.
const numbersForBigints: CustomTypesConfig = {
  getTypeParser: (type, format) =>
    Number(type) === INT8 ? Number : (types.getTypeParser(type, format) as (text: string) => unknown),
};

/** The schema exists, and a confirmed commit is on disk: else the contract's promise of durability would be a lie. */
async function prepare(pool: Pool, schema: string): Promise<void> {
  const { rows } = await pool.query<{ fsync: string; commit: string; exists: boolean }>(
    `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit,
       to_regnamespace($1) is not null as exists`,
    [schema],
  );
  if (rows[0]?.fsync !== 'on' || rows[0].commit === 'off') {
    throw new StoreError('STORE_NOT_DURABLE', 'PostgreSQL runs with fsync or synchronous_commit off');
  }
  // Asked first: `if not exists` wants the right to create even where there is nothing to create.
  if (rows[0].exists) return;
  const create = `create schema if not exists ${schema}`;
  // Not safe against a racing twin; the second attempt then finds the schema.
  await pool.query(create).catch(() => pool.query(create));
}

function database(pool: Pool, listener: Listener): Database {
  const underWay = new Set<Promise<unknown>>();
  let closed: Promise<void> | undefined;

  async function tracked<Result>(work: () => Promise<Result>): Promise<Result> {
    if (closed) throw new StoreError('STORE_CLOSED', 'the store is closed');
    const result = work();
    underWay.add(result);
    return result.finally(() => underWay.delete(result));
  }

  // The pool would leave whoever still waits for a connection without an answer.
  async function close(): Promise<void> {
    await Promise.allSettled(underWay);
    await Promise.all([listener.close(), pool.end()]);
  }

  return {
    sql: builder(),
    ddl,
    read: <Row>(statement: CompiledQuery<Row>) => tracked(async () => (await run(pool, statement)) as Row[]),
    write: <Statements extends readonly CompiledQuery[]>(...statements: Statements) =>
      tracked(async () => (await runAll(pool, statements)) as unknown as RowsOf<Statements>),
    close: () => (closed ??= close()),
  };
}

/** One statement is a transaction of its own: one round trip instead of three. */
async function runAll(pool: Pool, statements: readonly CompiledQuery[]): Promise<(readonly unknown[])[]> {
  const [only] = statements;
  return only && statements.length === 1 ? [await run(pool, only)] : runTogether(pool, statements);
}

async function run(on: Pool | PoolClient, { sql, parameters }: CompiledQuery): Promise<readonly unknown[]> {
  try {
    const { rows } = await on.query<Record<string, unknown>>(sql, [...parameters]);
    return rows;
  } catch (error) {
    throw fault(error);
  }
}

async function runTogether(pool: Pool, statements: readonly CompiledQuery[]): Promise<(readonly unknown[])[]> {
  const client = await pool.connect().catch((error: unknown) => Promise.reject(fault(error)));
  let broken = true;
  try {
    const rows = await transact(client, statements);
    broken = false;
    return rows;
  } finally {
    // A connection in an unknown state is not given back: the server undoes its open transaction when it goes.
    client.release(broken);
  }
}

async function transact(client: PoolClient, statements: readonly CompiledQuery[]): Promise<(readonly unknown[])[]> {
  const results: (readonly unknown[])[] = [];
  try {
    await client.query('begin');
    for (const statement of statements) results.push(await run(client, statement));
    await client.query('commit');
    return results;
  } catch (error) {
    throw fault(error);
  }
}

/** The message of a `DatabaseError` names tables and constraints; its `detail`, which quotes stored values, is left out. */
function fault(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = error instanceof DatabaseError ? `${error.code}: ` : '';
  const message = error instanceof Error ? error.message : String(error);
  return new StoreError('STORE_UNAVAILABLE', `the database refused: ${code}${message}`);
}

const builder = (): Kysely<Tables> =>
  new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
