/** The embedded family: one SQLite file, no set-up. For one machine; several processes on it may share the file. */
import { chmod, mkdir, open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DummyDriver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type CompiledQuery,
} from 'kysely';
import { z } from 'zod';
import type { Announce, Database, Ddl, RowsOf } from '../sql/database.ts';
import { openSqlStore } from '../sql/sql-store.ts';
import type { Tables } from '../sql/tables.ts';
import type { StoreComponent } from '../store.ts';
import type { Statement } from './protocol.ts';
import { SqliteThread } from './thread.ts';

const config = z.strictObject({
  dir: z.string().min(1).describe('Folder of the database; created with mode 0700, its files with 0600.'),
});

export const embedded: StoreComponent<z.infer<typeof config>> = {
  use: 'embedded',
  config,
  open: ({ dir }, { clock }) => openSqlStore((announce) => connect(dir, announce), clock),
};

/** Changes are announced by temporary triggers of the thread's own connection, see `worker.ts`. */
const ddl: Ddl = { text: 'text', integer: 'integer', end: ' strict', announcing: [] };

async function connect(dir: string, announce: Announce): Promise<Database> {
  const thread = await SqliteThread.start(await ownFile(dir), announce);
  return {
    sql: builder(),
    ddl,
    read: async <Row>(statement: CompiledQuery<Row>) => {
      const [rows] = await thread.read([plain(statement)]);
      return rows as Row[];
    },
    write: async <Statements extends readonly CompiledQuery[]>(...statements: Statements) =>
      (await thread.write(statements.map(plain))) as unknown as RowsOf<Statements>,
    close: () => thread.close(),
  };
}

const plain = ({ sql, parameters }: Statement): Statement => ({ sql, parameters });

const builder = (): Kysely<Tables> =>
  new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });

/** The file exists with mode 0600 before SQLite opens it; SQLite gives its log and index the mode of the file. */
async function ownFile(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, 'sallyport.db');
  const handle = await openFile(file, 'a', 0o600);
  await handle.close();
  await chmod(file, 0o600);
  return file;
}
