const SMALLEST = 256;

/** Bytes that arrive in pieces. Doubling keeps a line fed one byte at a time linear in time and memory. */
export class Gather {
  #store = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(source: Buffer, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#store.length) this.#grow(length);
    source.copy(this.#store, this.#length, start, end);
    this.#length = length;
  }

  /** Hands over what was gathered, as bytes that nobody else holds. */
  take(): Buffer {
    const taken = this.#store.subarray(0, this.#length);
    this.#store = Buffer.alloc(0);
    this.#length = 0;
    return taken;
  }

  /** Forgets what was gathered. */
  drop(): void {
    this.take();
  }

  #grow(length: number): void {
    const store = Buffer.allocUnsafeSlow(Math.max(SMALLEST, length, this.#store.length * 2));
    this.#store.copy(store, 0, 0, this.#length);
    this.#store = store;
  }
}
