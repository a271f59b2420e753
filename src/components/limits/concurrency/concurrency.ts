/** How much at once: open exchanges and bodies being read, for one principal and for all. Listening costs nothing here. */
import { z } from 'zod';
import { defineComponent } from '../../../gateway/component.ts';
import type { Allowance, Limits } from '../limits.ts';

const config = z.strictObject({
  perPrincipal: z.int().positive().default(256).describe('Open requests of one principal.'),
  total: z.int().positive().default(4096).describe('Open requests of all principals.'),
});

type Config = z.infer<typeof config>;

export const concurrency = defineComponent({
  kind: 'limits',
  use: 'concurrency',
  config,
  create: (limits): Limits => {
    const reading = new Slots(limits);
    const working = new Slots(limits);
    return {
      reading: (principal) => reading.take(principal.key),
      opening: ({ principal, deadline }) => (deadline === Infinity ? { allowed: true, done: undefined } : working.take(principal.key)),
    };
  },
});

class Slots {
  readonly #limits: Config;
  readonly #taken = new Map<string, number>();
  #total = 0;

  constructor(limits: Config) {
    this.#limits = limits;
  }

  take(key: string): Allowance {
    const taken = this.#taken.get(key) ?? 0;
    if (taken >= this.#limits.perPrincipal) return { allowed: false, limit: `${this.#limits.perPrincipal} at once for one principal`, retryAfter: 1000 };
    if (this.#total >= this.#limits.total) return { allowed: false, limit: `${this.#limits.total} at once for all`, retryAfter: 1000 };
    this.#taken.set(key, taken + 1);
    this.#total += 1;
    return { allowed: true, done: once(() => this.#giveBack(key)) };
  }

  #giveBack(key: string): void {
    const taken = this.#taken.get(key) ?? 0;
    if (taken > 1) this.#taken.set(key, taken - 1);
    else this.#taken.delete(key);
    this.#total -= 1;
  }
}

function once(call: () => void): () => void {
  let called = false;
  return () => {
    if (called) return;
    called = true;
    call();
  };
}
