/** Counters in memory, as `store.ts` promises them, with what a test wants to see of them. */
import { setImmediate as turn } from 'node:timers/promises';
import { manualClock, type ManualClock } from '../../../lib/clock.ts';
import { sampleDeps } from '../../samples.ts';
import type { PartDeps } from '../../../gateway/component.ts';

type Store = PartDeps['store'];
type Counters = Store['counters'];

export interface TestCounters extends Counters {
  /** Questions so far. */
  readonly asked: number;
  /** The sum of all windows and names. */
  total(): number;
  broken: boolean;
}

export function memoryCounters(): TestCounters {
  const totals = new Map<string, number>();
  let asked = 0;
  return {
    broken: false,
    get asked() {
      return asked;
    },
    total: () => [...totals.values()].reduce((sum, total) => sum + total, 0),
    async add(tenant, name, { start }, amount, limit = Number.MAX_SAFE_INTEGER) {
      asked += 1;
      await turn();
      if (this.broken) throw new Error('the store does not answer');
      const key = JSON.stringify([tenant, name, start]);
      const total = totals.get(key) ?? 0;
      if (total + amount > limit) return { ok: false, total };
      totals.set(key, total + amount);
      return { ok: true, total: total + amount };
    },
  };
}

export interface TestDeps extends PartDeps {
  readonly clock: ManualClock;
}

export function depsWith(counters: Counters, clock: ManualClock = manualClock()): TestDeps {
  return { ...sampleDeps('unused'), clock, store: { counters } as Store, servers: ['files', 'web'] };
}
