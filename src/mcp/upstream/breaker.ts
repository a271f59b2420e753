/**
 * Stops calling a server that cannot be reached: after five failures in a row calls are refused at once, for 1 s, doubling
 * to 30 s; then one call tries, and the others wait for what comes of it. Only failures before a request could run count: an
 * agent can provoke errors and crashes by what it asks for, and must not close the server to others with them.
 */
import type { Clock } from '../../gateway/ports.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

const TRIPS = 5;
const FIRST_MS = 1000;
const LONGEST_MS = 30_000;
/** The one that tries may be cancelled and never report; then another one tries. */
const PROBE_MS = 5000;

export class Breaker {
  readonly #clock: Clock;
  #failures = 0;
  #until = 0;
  #probing = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get state(): BreakerState {
    if (this.#failures < TRIPS) return 'closed';
    return this.#probing || this.#left() === 0 ? 'half-open' : 'open';
  }

  /** Epoch milliseconds of the next try; undefined while calls pass. */
  get retryAt(): number | undefined {
    return this.#failures < TRIPS ? undefined : this.#clock.now() + this.#left();
  }

  /** Milliseconds to wait; 0: go on, and report what came of it. */
  enter(): number {
    if (this.#failures < TRIPS) return 0;
    const left = this.#left();
    if (left > 0) return left;
    this.#probing = true;
    this.#until = this.#clock.monotonic() + PROBE_MS;
    return 0;
  }

  /** The server was reached, whatever it said. */
  succeeded(): void {
    this.#failures = 0;
    this.#probing = false;
  }

  failed(): void {
    // calls that were under way when it opened say nothing new
    if (this.#failures >= TRIPS && !this.#probing) return;
    this.#probing = false;
    this.#failures += 1;
    const beyond = this.#failures - TRIPS;
    if (beyond >= 0) this.#until = this.#clock.monotonic() + Math.min(FIRST_MS * 2 ** beyond, LONGEST_MS);
  }

  #left(): number {
    return Math.max(0, this.#until - this.#clock.monotonic());
  }
}
