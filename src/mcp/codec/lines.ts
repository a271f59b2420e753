/** One JSON message a line: the framing of MCP's stdio transport. */
import { Gather } from './gather.ts';

export interface LineHandlers {
  /** A line without its end, never blank: maybe a view of the chunk that was pushed. */
  line(line: Buffer): void;
  /** A line was longer than the limit: it is skipped whole, and reading goes on behind it. */
  fault(fault: { readonly fault: 'too_large'; readonly detail: string }): void;
  /** So many bytes of a line that is skipped have come by now, and its end has not. */
  skipping?(bytes: number): void;
}

export interface LineLimits {
  /** Bytes of one line, without its end. */
  readonly line: number;
}

const LF = 0x0a;
const CR = 0x0d;

/** Reads chunks split anywhere, in time linear in the bytes. `\r\n` is tolerated; blank lines are ignored. */
export class LineReader {
  readonly #limits: LineLimits;
  readonly #on: LineHandlers;
  readonly #pending = new Gather();
  #skipping = false;
  #skipped = 0;
  #closed = false;

  constructor(limits: LineLimits, on: LineHandlers) {
    this.#limits = limits;
    this.#on = on;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (!this.#closed) {
      const end = chunk.indexOf(LF, at);
      if (end < 0) return this.#keep(chunk, at);
      this.#complete(chunk, at, end);
      at = end + 1;
    }
  }

  /** The peer is gone. A last line without an end is handed on: if it was cut short, it is no JSON object either. */
  end(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#skipping) this.#emit(this.#pending.take());
  }

  #keep(chunk: Buffer, at: number): void {
    if (!this.#skipping && this.#fits(chunk.length - at)) return this.#pending.add(chunk, at, chunk.length);
    this.#skipping = true;
    this.#skipped += chunk.length - at;
    this.#on.skipping?.(this.#skipped);
  }

  #complete(chunk: Buffer, start: number, end: number): void {
    if (this.#skipping || !this.#fits(end - start)) {
      this.#skipping = false;
      this.#skipped = 0;
      return;
    }
    if (this.#pending.length === 0) return this.#emit(chunk.subarray(start, end));
    this.#pending.add(chunk, start, end);
    this.#emit(this.#pending.take());
  }

  #fits(more: number): boolean {
    // one byte of room for the `\r` of a line end
    if (this.#pending.length + more <= this.#limits.line + 1) return true;
    this.#tooLarge();
    return false;
  }

  #emit(line: Buffer): void {
    const text = line.at(-1) === CR ? line.subarray(0, -1) : line;
    if (text.length > this.#limits.line) return this.#tooLarge();
    if (!isBlank(text)) this.#on.line(text);
  }

  #tooLarge(): void {
    this.#pending.drop();
    this.#on.fault({ fault: 'too_large', detail: `one line is longer than ${this.#limits.line} bytes` });
  }
}

function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte !== 0x20 && byte !== 0x09) return false;
  return true;
}

/**
 * A JSON document as one line. Raw line ends in JSON can only be white space between tokens (strings must escape
 * them), so each becomes a space and the document means the same.
 */
export function toLine(json: Buffer | string): Buffer {
  const line = Buffer.concat([typeof json === 'string' ? Buffer.from(json) : json, Buffer.from('\n')]);
  for (const end of [LF, CR]) {
    for (let at = line.indexOf(end); at >= 0 && at < line.length - 1; at = line.indexOf(end, at + 1)) line[at] = 0x20;
  }
  return line;
}
