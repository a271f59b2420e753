/** Server-Sent Events, read and written as bytes (WHATWG HTML §9.2). */
import { Gather } from './gather.ts';

export interface SseEvent {
  /** `message` when the event names none. */
  readonly event: string;
  /**
   * The data lines joined by `\n`, not decoded: maybe a view of the chunk that was pushed. Empty for MCP's priming
   * event, which carries an id and no message.
   */
  readonly data: Buffer;
  /** The last id of the stream so far. */
  readonly id?: string;
}

export type SseFault =
  /** A block is longer than the limit. Nothing of it was handed on, and nothing more is read. */
  | { readonly fault: 'too_large'; readonly detail: string }
  /** The stream ended inside an event, which is dropped as the standard asks. */
  | { readonly fault: 'truncated'; readonly detail: string };

export interface SseHandlers {
  event(event: SseEvent): void;
  fault(fault: SseFault): void;
  /** Every id, also of blocks without data: what a reconnecting client sends as `Last-Event-ID`. */
  id?(id: string): void;
  /** Milliseconds to wait before reconnecting. */
  retry?(milliseconds: number): void;
}

export interface SseLimits {
  /** Bytes of one block between two blank lines, field names included. */
  readonly event: number;
}

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const NEWLINE = Buffer.from('\n');
const EMPTY = Buffer.alloc(0);

/**
 * Reads a stream chunk by chunk, split anywhere. Time is linear in the bytes, whatever the chunks. After a fault, or
 * `end` (which a handler may call), whatever is pushed is ignored.
 */
export class SseReader {
  readonly #limits: SseLimits;
  readonly #on: SseHandlers;
  /** The part of a line that came in earlier chunks. */
  readonly #line = new Gather();
  /** Data lines after the first of a block, which is kept as it is: most events have only one. */
  readonly #more = new Gather();
  #data: Buffer | undefined;
  #event = '';
  #id: string | undefined;
  #size = 0;
  #afterCr = false;
  #first = true;
  #closed = false;

  constructor(limits: SseLimits, on: SseHandlers) {
    this.#limits = limits;
    this.#on = on;
  }

  push(chunk: Buffer): void {
    let at = this.#afterCr && chunk[0] === LF ? 1 : 0;
    if (chunk.length > 0) this.#afterCr = false;
    let lf = find(chunk, LF, at);
    let cr = find(chunk, CR, at);
    while (!this.#closed) {
      const end = Math.min(lf, cr);
      if (end >= chunk.length) return this.#keep(chunk, at);
      this.#lineIn(chunk, at, end);
      at = end + 1;
      if (end === cr && at === chunk.length) this.#afterCr = true;
      if (end === cr && chunk[at] === LF) at++;
      // each is searched again only once passed, so that no byte is searched twice
      if (lf < at) lf = find(chunk, LF, at);
      if (cr < at) cr = find(chunk, CR, at);
    }
  }

  end(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#data !== undefined || this.#line.length > 0) {
      this.#on.fault({ fault: 'truncated', detail: 'the stream ended before the blank line that completes an event' });
    }
  }

  #keep(chunk: Buffer, at: number): void {
    if (at < chunk.length && this.#fits(chunk.length - at)) this.#line.add(chunk, at, chunk.length);
  }

  #fits(more: number): boolean {
    this.#size += more;
    if (this.#size <= this.#limits.event) return true;
    this.#closed = true;
    this.#on.fault({ fault: 'too_large', detail: `one event is larger than ${this.#limits.event} bytes` });
    return false;
  }

  #lineIn(chunk: Buffer, start: number, end: number): void {
    if (!this.#fits(end - start)) return;
    if (this.#line.length === 0) return this.#read(chunk.subarray(start, end));
    this.#line.add(chunk, start, end);
    this.#read(this.#line.take());
  }

  #read(line: Buffer): void {
    const text = this.#first ? withoutBom(line) : line;
    this.#first = false;
    if (text.length === 0) return this.#dispatch();
    const colon = text.indexOf(COLON);
    if (colon === 0) {
      // comments keep a stream alive for days, perhaps with no blank line between them
      this.#size -= line.length;
      return;
    }
    const name = text.toString('latin1', 0, colon < 0 ? text.length : colon);
    this.#field(name, colon < 0 ? EMPTY : text.subarray(text[colon + 1] === SPACE ? colon + 2 : colon + 1));
  }

  #field(name: string, value: Buffer): void {
    if (name === 'data') this.#addData(value);
    else if (name === 'event') this.#event = value.toString();
    else if (name === 'id') this.#setId(value);
    else if (name === 'retry') this.#setRetry(value.toString('latin1'));
  }

  #addData(value: Buffer): void {
    if (this.#data === undefined) {
      this.#data = value;
      return;
    }
    this.#more.add(NEWLINE, 0, 1);
    this.#more.add(value, 0, value.length);
  }

  #setId(value: Buffer): void {
    if (value.includes(0)) return;
    this.#id = value.toString();
    this.#on.id?.(this.#id);
  }

  #setRetry(digits: string): void {
    const milliseconds = Number(digits);
    if (/^[0-9]+$/.test(digits) && Number.isSafeInteger(milliseconds)) this.#on.retry?.(milliseconds);
  }

  #dispatch(): void {
    const first = this.#data;
    const event = this.#event === '' ? 'message' : this.#event;
    this.#data = undefined;
    this.#event = '';
    this.#size = 0;
    if (first === undefined) return;
    const data = this.#more.length === 0 ? first : Buffer.concat([first, this.#more.take()]);
    this.#on.event(this.#id === undefined ? { event, data } : { event, data, id: this.#id });
  }
}

function find(chunk: Buffer, byte: number, from: number): number {
  const at = chunk.indexOf(byte, from);
  return at < 0 ? chunk.length : at;
}

function withoutBom(line: Buffer): Buffer {
  return line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf ? line.subarray(3) : line;
}

export interface SseFields {
  readonly id?: string;
  readonly event?: string;
  /** Milliseconds. */
  readonly retry?: number;
}

/**
 * One event. Data holding raw line ends (pretty-printed JSON) goes out as several data lines, and comes in again with
 * `\n` between them. Throws RangeError for a field that would break out of its line.
 */
export function sseEvent(data: Buffer | string, fields: SseFields = {}): Buffer {
  const head = fieldLines(fields);
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  if (!bytes.includes(LF) && !bytes.includes(CR)) return Buffer.concat([Buffer.from(`${head}data: `), bytes, END]);
  // latin1 maps bytes to characters one to one, so UTF-8 passes through unharmed
  const lines = bytes.toString('latin1').split(/\r\n|\r|\n/);
  const body = Buffer.from(lines.map((line) => `data: ${line}\n`).join(''), 'latin1');
  return Buffer.concat([Buffer.from(head), body, NEWLINE]);
}

/** A comment: keeps the connection open and means nothing. */
export function sseComment(text = ''): Buffer {
  return Buffer.from(`:${text === '' ? '' : ` ${singleLine('comment', text)}`}\n\n`);
}

const END = Buffer.from('\n\n');

function fieldLines({ id, event, retry }: SseFields): string {
  let lines = '';
  if (event !== undefined) lines += `event: ${singleLine('event', event)}\n`;
  if (id !== undefined) lines += `id: ${singleLine('id', id)}\n`;
  if (retry !== undefined) lines += `retry: ${wholeMilliseconds(retry)}\n`;
  return lines;
}

function singleLine(field: string, value: string): string {
  if (/[\r\n\0]/.test(value)) throw new RangeError(`the ${field} of a server-sent event holds a line end or NUL`);
  return value;
}

function wholeMilliseconds(retry: number): number {
  if (!Number.isSafeInteger(retry) || retry < 0) throw new RangeError('retry is a whole number of milliseconds');
  return retry;
}
