/** How long to wait before a server that failed is started again: 0.1 s, doubling to 30 s, from the start after a healthy minute. */
import type { Clock } from '../../gateway/ports.ts';

const FIRST_MS = 100;
const LONGEST_MS = 30_000;
const HEALTHY_MS = 60_000;

export class Backoff {
  readonly #clock: Clock;
  #failures = 0;
  #since: number | undefined;
  #notBefore = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** It runs. */
  began(): void {
    this.#since = this.#clock.monotonic();
  }

  /** It failed, to start or later. Returns the milliseconds to wait. */
  failed(): number {
    const now = this.#clock.monotonic();
    if (this.#since !== undefined && now - this.#since >= HEALTHY_MS) this.#failures = 0;
    this.#since = undefined;
    const delay = Math.min(FIRST_MS * 2 ** this.#failures++, LONGEST_MS);
    this.#notBefore = now + delay;
    return delay;
  }

  /** Milliseconds that are left of the wait. */
  left(): number {
    return Math.max(0, this.#notBefore - this.#clock.monotonic());
  }
}
