/** The SQLite thread: the only code that touches the database file. Nothing here runs on the event loop. */
import { parentPort, workerData } from 'node:worker_threads';
import Sqlite from 'better-sqlite3';
import { Lru } from '../../../lib/lru.ts';
import type { Change } from '../sql/database.ts';
import type { Answer, Batch, FromThread, Row, Statement, ToThread, Unit } from './protocol.ts';

/** How often to ask whether another process wrote to the file: a read of one counter in shared memory. */
const LOOK_EVERY = 1_000;
const BUSY_TIMEOUT = 5_000;

const { file } = workerData as { readonly file: string };
const prepared = new Lru<string, Sqlite.Statement>(256);
let changes: Change[] = [];

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window: there is no origin.
const tell = (message: FromThread): void => parentPort?.postMessage(message);

function open(): Sqlite.Database {
  const db = new Sqlite(file, { timeout: BUSY_TIMEOUT });
  // FULL: the log is flushed at every commit, so what was confirmed survives a loss of power, not just of the process.
  for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'trusted_schema = OFF']) db.pragma(pragma);
  return db;
}

/** Collects what changes within a transaction; told after its commit. Needs the tables, so it is set up when they exist. */
function announceChanges(db: Sqlite.Database): void {
  db.function('announce', { directOnly: false }, (tenant: string, topic: string, key: string) => {
    changes.push({ tenant, topic, key });
    return null;
  });
  for (const [event, row] of [
    ['insert', 'new'],
    ['update', 'new'],
    ['delete', 'old'],
  ] as const) {
    db.exec(`create temp trigger records_${event} after ${event} on main.records
      begin select announce(${row}.tenant, 'records/' || ${row}.collection, ${row}."key"); end`);
  }
  db.exec(`create temp trigger definitions_insert after insert on main.definitions
    begin select announce(new.tenant, 'definitions', new.server); end`);
}

function run(db: Sqlite.Database, unit: Unit): readonly (readonly Row[])[] {
  return unit.statements.map((statement) => execute(db, statement));
}

function execute(db: Sqlite.Database, { sql, parameters }: Statement): readonly Row[] {
  const statement = prepared.get(sql) ?? db.prepare(sql);
  prepared.set(sql, statement);
  if (statement.reader) return statement.all(...parameters) as Row[];
  statement.run(...parameters);
  return [];
}

function attempt(unit: Unit, work: () => readonly (readonly Row[])[]): Answer {
  try {
    return { id: unit.id, rows: work() };
  } catch (error) {
    return { id: unit.id, fault: faultOf(error) };
  }
}

/** A unit that fails takes back its own changes and leaves its neighbours in the transaction alone. */
function runApart(db: Sqlite.Database, unit: Unit): Answer {
  const before = changes.length;
  db.exec('savepoint unit');
  const answer = attempt(unit, () => run(db, unit));
  if ('fault' in answer) {
    // Some faults (a full disk) end the whole transaction; then there is no savepoint left to go back to.
    if (!db.inTransaction) throw new Error(answer.fault);
    db.exec('rollback to unit');
    changes.length = before;
  }
  db.exec('release unit');
  return answer;
}

function writeAll(db: Sqlite.Database, writes: readonly Unit[]): readonly Answer[] {
  try {
    db.exec('begin immediate');
    const answers = writes.map((unit) => runApart(db, unit));
    db.exec('commit');
    return answers;
  } catch (error) {
    if (db.inTransaction) db.exec('rollback');
    changes = [];
    return writes.map(({ id }) => ({ id, fault: faultOf(error) }));
  }
}

function handle(db: Sqlite.Database, { reads, writes }: Batch): void {
  if (reads.length > 0) {
    tell({ say: 'answers', answers: reads.map((unit) => attempt(unit, () => run(db, unit))), changes: [] });
  }
  if (writes.length > 0) {
    const answers = writeAll(db, writes);
    tell({ say: 'answers', answers, changes });
    changes = [];
  }
  tell({ say: 'done' });
}

function lookElsewhere(db: Sqlite.Database): NodeJS.Timeout {
  const version = () => db.pragma('data_version', { simple: true });
  let known = version();
  return setInterval(() => {
    const now = version();
    if (now !== known) tell({ say: 'elsewhere' });
    known = now;
  }, LOOK_EVERY);
}

function faultOf(error: unknown): string {
  if (error instanceof Sqlite.SqliteError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

function serve(db: Sqlite.Database): void {
  const looking = lookElsewhere(db);
  let announcing = false;
  parentPort?.on('message', (message: ToThread) => {
    if (message.ask === 'close') {
      clearInterval(looking);
      db.close();
      tell({ say: 'closed' });
      parentPort?.close();
      return;
    }
    handle(db, message.batch);
    announcing ||= announceOnceMigrated(db);
  });
  tell({ say: 'ready' });
}

function announceOnceMigrated(db: Sqlite.Database): boolean {
  const tables = db.prepare(`select 1 from sqlite_schema where type = 'table' and name in ('records', 'definitions')`);
  if (tables.all().length < 2) return false;
  announceChanges(db);
  return true;
}

try {
  serve(open());
} catch (error) {
  tell({ say: 'refused', fault: faultOf(error) });
}
