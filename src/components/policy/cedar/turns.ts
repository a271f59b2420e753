/** Work in small shares: what would stall everybody else waits for its turn. */

/** Milliseconds of one turn of the event loop that lists may take. */
const SHARE = 5;

export class Turns {
  #spent = 0;
  #resets = false;
  #waiting: (() => void)[] = [];

  /** Does the work at once while this turn's share lasts, else in a later turn. */
  take<T>(work: () => T): T | Promise<T> {
    if (this.#spent < SHARE && this.#waiting.length === 0) return this.#timed(work);
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(this.#timed(work));
        } catch (error) {
          reject(error instanceof Error ? error : new Error('it threw'));
        }
      });
    });
  }

  next(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  #timed<T>(work: () => T): T {
    this.#reset();
    const start = performance.now();
    try {
      return work();
    } finally {
      this.#spent += performance.now() - start;
    }
  }

  #reset(): void {
    if (this.#resets) return;
    this.#resets = true;
    setImmediate(() => {
      this.#resets = false;
      this.#spent = 0;
      this.#turn();
    });
  }

  #turn(): void {
    let done = 0;
    while (done < this.#waiting.length && this.#spent < SHARE) this.#waiting[done++]!();
    this.#waiting = this.#waiting.slice(done);
    if (this.#waiting.length > 0) this.#reset();
  }
}
