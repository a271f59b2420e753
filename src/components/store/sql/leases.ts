import type { Clock } from '../../../lib/clock.ts';
import { LIMITS, type Lease, type Leases } from '../store.ts';
import type { Database } from './database.ts';
import { integer, keyPart } from './names.ts';

export function leasesIn(db: Database, clock: Clock): Leases {
  /** The row of a lease that its holder still holds. */
  const held = ({ tenant, name, holder, fence }: Lease) =>
    db.sql
      .updateTable('leases')
      .where((eb) => eb.and({ tenant, name, holder, fence }))
      .where('ends', '>', clock.now());

  return {
    acquire: async (tenant, name, holder, ttl) => {
      const address = { tenant: keyPart('tenant', tenant), name: keyPart('lease', name, LIMITS.key) };
      const wanted = { holder: keyPart('holder', holder), ends: clock.now() + integer('ttl', ttl) };
      const [[won], [now]] = await db.write(
        takeStatement(db, clock, address, wanted),
        db.sql
          .selectFrom('leases')
          .select(['holder', 'ends'])
          .where((eb) => eb.and(address))
          .compile(),
      );
      if (won) return { ok: true, lease: { ...address, holder, fence: won.fence, until: wanted.ends } };
      return { ok: false, holder: now?.holder ?? '', until: now?.ends ?? clock.now() };
    },

    renew: async (lease, ttl) => {
      const until = clock.now() + integer('ttl', ttl);
      const [[row]] = await db.write(held(lease).set({ ends: until }).returning('fence').compile());
      return row ? { ...lease, until } : 'lost';
    },

    release: async (lease) => {
      await db.write(held(lease).set({ ends: clock.now() }).compile());
    },
  };
}

/**
 * A fence starts at the time in milliseconds and grows by one. So it keeps growing even when the row of a lease that
 * nobody wanted for a day was swept: no lease is taken once a millisecond all day.
 */
function takeStatement(
  db: Database,
  clock: Clock,
  address: { readonly tenant: string; readonly name: string },
  wanted: { readonly holder: string; readonly ends: number },
) {
  return db.sql
    .insertInto('leases')
    .values({ ...address, ...wanted, fence: clock.now() })
    .onConflict((conflict) =>
      conflict
        .columns(['tenant', 'name'])
        .doUpdateSet((eb) => ({ ...wanted, fence: eb('leases.fence', '+', 1) }))
        .where('leases.ends', '<=', clock.now()),
    )
    .returning('fence')
    .compile();
}
