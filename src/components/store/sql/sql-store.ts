/** A store out of a database: the part that both families share. */
import { sql } from 'kysely';
import type { Clock } from '../../../lib/clock.ts';
import type { Health, Store } from '../store.ts';
import { countersIn } from './counters.ts';
import type { Announce, Database } from './database.ts';
import { definitionsIn } from './definitions.ts';
import { leasesIn } from './leases.ts';
import { migrate } from './migrations.ts';
import { recordsIn } from './records.ts';
import { keepSweeping, sweep } from './sweep.ts';
import { usesIn } from './uses.ts';
import { Watchers } from './watchers.ts';

const HEALTHY_WITHIN = 2_000;

/** Connects, migrates, sweeps and opens. `connect` gets the function to call after each change. */
export async function openSqlStore(connect: (announce: Announce) => Promise<Database>, clock: Clock): Promise<Store> {
  const watchers = new Watchers();
  const db = await connect(watchers.announce);
  try {
    await migrate(db);
    await sweep(db, clock);
  } catch (error) {
    await db.close();
    throw error;
  }
  const stopSweeping = keepSweeping(db, clock);
  return {
    records: recordsIn(db, clock, watchers),
    leases: leasesIn(db, clock),
    uses: usesIn(db, clock),
    counters: countersIn(db),
    definitions: definitionsIn(db, clock, watchers),
    health: () => healthOf(db),
    close: () => {
      stopSweeping();
      return db.close();
    },
  };
}

async function healthOf(db: Database): Promise<Health> {
  const { promise: late, resolve } = Promise.withResolvers<Health>();
  const timer = setTimeout(() => resolve({ ok: false, fault: 'no answer within two seconds' }), HEALTHY_WITHIN);
  const answer = db.read(sql`select 1`.compile(db.sql)).then(
    (): Health => ({ ok: true }),
    (error: unknown): Health => ({ ok: false, fault: error instanceof Error ? error.message : String(error) }),
  );
  const health = await Promise.race([answer, late]);
  clearTimeout(timer);
  return health;
}
