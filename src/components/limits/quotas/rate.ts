/** A rate as a token bucket: `burst` calls at once, then one every `window / count` milliseconds. Local to this process. */
import type { Clock } from '../../../gateway/ports.ts';
import { Lru } from '../../../lib/lru.ts';
import { REMEMBERED, type Answer, type Meter, type Taken } from './meter.ts';

export interface RateSettings {
  readonly text: string;
  readonly count: number;
  /** Milliseconds. */
  readonly window: number;
  readonly burst: number;
}

export class Rate implements Meter {
  readonly #buckets = new Lru<string, Bucket>(REMEMBERED);
  readonly #settings: RateSettings;
  readonly #clock: Clock;
  /** Milliseconds from one call to the next, and how far ahead of them a burst may run. */
  readonly #each: number;
  readonly #ahead: number;

  constructor(settings: RateSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
    this.#each = settings.window / settings.count;
    this.#ahead = (settings.burst - 1) * this.#each;
  }

  take(key: string): Answer {
    const now = this.#clock.monotonic();
    let bucket = this.#buckets.get(key);
    if (!bucket) this.#buckets.set(key, (bucket = new Bucket(this.#each)));
    const due = Math.max(bucket.due, now);
    if (due - now > this.#ahead) {
      return { ok: false, limit: `rate ${this.#settings.text}`, retryAfter: Math.ceil(due - now - this.#ahead) };
    }
    bucket.due = due + this.#each;
    return bucket;
  }
}

/** All that is remembered of a bucket is when it will be full again (GCRA, ITU-T I.371): no timer fills it. */
class Bucket implements Taken {
  readonly ok = true;
  readonly #each: number;
  due = 0;

  constructor(each: number) {
    this.#each = each;
  }

  undo(): void {
    this.due -= this.#each;
  }

  ended(): void {}
}
