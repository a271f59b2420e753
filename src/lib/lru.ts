/**
 * A map that holds at most `capacity` entries and forgets the least recently used one first. Everything that is keyed
 * by what a stranger sends lives in one of these, so that no stranger can fill the memory.
 */
export class Lru<Key, Value> {
  readonly #capacity: number;
  readonly #entries = new Map<Key, Value>();
  readonly #forgotten: ((key: Key) => void) | undefined;
  /** The key that was used last, if it is still there: it needs no new place in the order. */
  #latest: Key | undefined;

  /** @param forgotten told of every entry that made room for another */
  constructor(capacity: number, forgotten?: (key: Key) => void) {
    if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError('an LRU holds at least one entry');
    this.#capacity = capacity;
    this.#forgotten = forgotten;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value, now the most recently used; undefined when there is none. */
  get(key: Key): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined || key === this.#latest) return value;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#latest = key;
    return value;
  }

  set(key: Key, value: Value): void {
    if (key !== this.#latest) this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#latest = key;
    if (this.#entries.size > this.#capacity) this.#forgetOldest();
  }

  delete(key: Key): boolean {
    if (key === this.#latest) this.#latest = undefined;
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#latest = undefined;
    this.#entries.clear();
  }

  #forgetOldest(): void {
    const oldest = this.#entries.keys().next();
    if (oldest.done) return;
    this.#entries.delete(oldest.value);
    this.#forgotten?.(oldest.value);
  }
}
