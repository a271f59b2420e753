import type { CompiledQuery } from 'kysely';
import { LIMITS, type Counters } from '../store.ts';
import type { Database } from './database.ts';
import { integer, keyPart } from './names.ts';

interface Address {
  readonly tenant: string;
  readonly name: string;
  readonly starts: number;
}

export function countersIn(db: Database): Counters {
  return {
    add: async (tenant, name, { start, end }, amount, limit = Number.MAX_SAFE_INTEGER) => {
      const address = {
        tenant: keyPart('tenant', tenant),
        name: keyPart('counter', name, LIMITS.key),
        starts: integer('start', start),
      };
      if (integer('amount', amount) > limit) return { ok: false, total: await totalOf(db, address) };
      const [[sum], [now]] = await db.write(
        addStatement(db, address, integer('end', end), amount, limit),
        totalStatement(db, address),
      );
      return { ok: sum !== undefined, total: sum?.total ?? now?.total ?? 0 };
    },
  };
}

// The sum is tested where it is made, under the lock of its row: no two adders can pass the limit together.
function addStatement(
  db: Database,
  address: Address,
  ends: number,
  amount: number,
  limit: number,
): CompiledQuery<{ total: number }> {
  return db.sql
    .insertInto('counters')
    .values({ ...address, ends, total: amount })
    .onConflict((conflict) =>
      conflict
        .columns(['tenant', 'name', 'starts'])
        .doUpdateSet((eb) => ({ total: eb('counters.total', '+', amount) }))
        .where((eb) => eb(eb('counters.total', '+', amount), '<=', limit)),
    )
    .returning('total')
    .compile();
}

const totalStatement = (db: Database, address: Address) =>
  db.sql
    .selectFrom('counters')
    .select('total')
    .where((eb) => eb.and({ ...address }))
    .compile();

async function totalOf(db: Database, address: Address): Promise<number> {
  const [row] = await db.read(totalStatement(db, address));
  return row?.total ?? 0;
}
