/** The first characters of every line of a file, in memory that does not grow with the file. */
import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK = 1 << 20;
/** Room for a principal's key with the longest issuer and subject. */
const HEAD = 16 << 10;
const NEWLINE = 0x0a;
const CLOSING_BRACE = 0x7d;

/** @param take is given at most 16 KiB of each line that ends as an object does; torn lines are passed over */
export function eachHead(file: string, take: (head: string) => void): void {
  const fd = openSync(file, 'r');
  const chunk = Buffer.allocUnsafe(CHUNK);
  const lines = new Lines(take);
  try {
    for (let read = readSync(fd, chunk); read > 0; read = readSync(fd, chunk)) lines.push(chunk.subarray(0, read));
  } finally {
    closeSync(fd);
  }
}

class Lines {
  readonly #take: (head: string) => void;
  /** The head of a line that began in an earlier chunk. */
  #begun = Buffer.alloc(0);
  #last = 0;

  constructor(take: (head: string) => void) {
    this.#take = take;
  }

  push(bytes: Buffer): void {
    let at = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      const last = end > 0 ? bytes[end - 1] : this.#last;
      if (last === CLOSING_BRACE) this.#take(this.#head(bytes, at, end).toString('utf8'));
      this.#begun = Buffer.alloc(0);
      at = end + 1;
    }
    // A copy: the chunk is used again.
    if (this.#begun.length < HEAD) this.#begun = Buffer.from(this.#head(bytes, at, bytes.length));
    this.#last = bytes.at(-1) ?? this.#last;
  }

  #head(bytes: Buffer, start: number, end: number): Buffer {
    const here = bytes.subarray(start, Math.min(end, start + HEAD - this.#begun.length));
    return this.#begun.length === 0 ? here : Buffer.concat([this.#begun, here]);
  }
}
