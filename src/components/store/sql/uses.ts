import type { Clock } from '../../../lib/clock.ts';
import { LIMITS, type Uses } from '../store.ts';
import type { Database } from './database.ts';
import { integer, keyPart } from './names.ts';

export function usesIn(db: Database, clock: Clock): Uses {
  return {
    consume: async (tenant, name, until) => {
      const use = { tenant: keyPart('tenant', tenant), name: keyPart('use', name, LIMITS.key) };
      if (integer('until', until) <= clock.now()) return false;
      const [[first]] = await db.write(
        db.sql
          .insertInto('uses')
          .values({ ...use, ends: until })
          .onConflict((conflict) => conflict.columns(['tenant', 'name']).doNothing())
          .returning('name')
          .compile(),
      );
      return first !== undefined;
    },
  };
}
