/** So many lines a second, and a count of the rest: what a server prints must not fill the disk that the log lies on. */
const SECOND_MS = 1000;

export class Ration {
  readonly #most: number;
  readonly #leftOut: (count: number) => void;
  #since = -Infinity;
  #taken = 0;
  #left = 0;

  /** `leftOut` is told once a second at most, and by `end`. */
  constructor(most: number, leftOut: (count: number) => void) {
    this.#most = most;
    this.#leftOut = leftOut;
  }

  /** Whether one more may pass now. `now` in milliseconds of a monotonic clock. */
  take(now = performance.now()): boolean {
    if (now - this.#since >= SECOND_MS) {
      this.end();
      this.#since = now;
      this.#taken = 0;
    }
    this.#taken += 1;
    if (this.#taken <= this.#most) return true;
    this.#left += 1;
    return false;
  }

  end(): void {
    if (this.#left > 0) this.#leftOut(this.#left);
    this.#left = 0;
  }
}
