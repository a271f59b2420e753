/** How much at once: bodies being read, open requests, and streams that listen, for one principal and for all. */
import { z } from 'zod';
import { defineComponent } from '../../../gateway/component.ts';
import type { Allowance, Limits } from '../limits.ts';

const config = z.strictObject({
  perPrincipal: z
    .int()
    .positive()
    .default(256)
    .describe('Open requests of one principal; as many streams that listen.'),
  total: z.int().positive().default(4096).describe('The same for all principals together.'),
});

type Config = z.infer<typeof config>;

export const concurrency = defineComponent({
  kind: 'limits',
  use: 'concurrency',
  config,
  create: (limits): Limits => {
    const reading = new Slots(limits);
    const working = new Slots(limits);
    // Places of their own: agents that listen all day leave every place to those that work, and still have an end.
    const listening = new Slots(limits);
    return {
      reading: (principal) => reading.take(principal.key),
      opening: ({ principal, deadline }) => (deadline === Infinity ? listening : working).take(principal.key),
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
    const { perPrincipal, total } = this.#limits;
    const taken = this.#taken.get(key) ?? 0;
    if (taken >= perPrincipal) return refused(`${perPrincipal} at once for one principal`);
    if (this.#total >= total) return refused(`${total} at once for all`);
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

function refused(limit: string): Allowance {
  return { allowed: false, limit, retryAfter: 1000 };
}

function once(call: () => void): () => void {
  let called = false;
  return () => {
    if (called) return;
    called = true;
    call();
  };
}
