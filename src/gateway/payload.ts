/**
 * `params`, `result` or `error` of a message as it is handed to the audit part: bytes and tree. To `JSON.stringify` it is a whole
 * record body; a part that wants more digits than a tree can hold writes `raw`, and one that keeps no bodies writes `sha256`.
 */
import { hash } from 'node:crypto';

export class Payload {
  readonly bytes: number;
  readonly json: unknown;
  readonly #raw: Buffer;

  /** @param raw strict JSON text; must not change afterwards */
  constructor(raw: Buffer, json: unknown) {
    this.bytes = raw.length;
    this.json = json;
    this.#raw = raw;
  }

  /** Exactly as it travelled. */
  get raw(): Buffer {
    return this.#raw;
  }

  /** In hex, of `raw`; computed at each question, because most records need none. */
  get sha256(): string {
    return hash('sha256', this.#raw);
  }
}
