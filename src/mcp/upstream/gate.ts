/** At most so many at once; the others wait their turn. */
export interface Waiting {
  /** Its turn has come; it must leave. */
  begin(): void;
  /** Too many wait already; it never entered. */
  turnedAway(): void;
}

const LONGEST_QUEUE = 1000;

export class Gate {
  readonly #queue: Waiting[] = [];
  #free: number;

  constructor(width: number) {
    this.#free = width;
  }

  enter(who: Waiting): void {
    if (this.#free > 0) {
      this.#free--;
      who.begin();
    } else if (this.#queue.length < LONGEST_QUEUE) this.#queue.push(who);
    else who.turnedAway();
  }

  /** Somebody who had begun goes. */
  leave(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#free++;
    else next.begin();
  }

  /** Somebody who still waits goes. */
  withdraw(who: Waiting): void {
    const at = this.#queue.indexOf(who);
    if (at >= 0) this.#queue.splice(at, 1);
  }
}
