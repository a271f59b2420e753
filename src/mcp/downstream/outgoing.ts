/** One HTTP response: a single JSON answer, or a stream of events that is kept alive and never outruns its reader. */
import { isAscii } from 'node:buffer';
import type { ServerResponse } from 'node:http';
import { sseComment } from '../codec/sse.ts';

export interface OutgoingSettings {
  /** Milliseconds between comments on an open stream: proxies cut streams that are silent for longer. */
  readonly keepAlive: number;
  /** Milliseconds that a reader may leave a full buffer unread before it is taken for dead. */
  readonly stall: number;
}

export const OUTGOING: OutgoingSettings = { keepAlive: 15_000, stall: 60_000 };

/** Larger bodies are not worth the copy into one string with the head. */
const SMALL = 16 * 1024;

/** Milliseconds for which the rest of an unread body is thrown away, so that the answer is not lost with it. */
const LINGER = 1000;

/** Bytes of an unread body that are cheaper to skip than a new connection. */
const SKIPPED = 64 * 1024;

const STREAM_HEADERS = [
  'content-type',
  'text/event-stream',
  'cache-control',
  'no-cache, no-transform',
  'x-accel-buffering',
  'no',
];

const COMMENT = sseComment();

export class Outgoing {
  readonly #res: ServerResponse;
  readonly #always: readonly string[];
  readonly #settings: OutgoingSettings;
  #beat: NodeJS.Timeout | undefined;
  #state: 'fresh' | 'streaming' | 'over' = 'fresh';

  /** `always` are headers of every answer (CORS), as a flat list of names and values. */
  constructor(res: ServerResponse, always: readonly string[] = [], settings: OutgoingSettings = OUTGOING) {
    this.#res = res;
    this.#always = always;
    this.#settings = settings;
    res.sendDate = false;
  }

  /** Neither answered nor streaming yet. */
  get fresh(): boolean {
    return this.#state === 'fresh';
  }

  get streaming(): boolean {
    return this.#state === 'streaming' && !this.#res.destroyed;
  }

  /** The agent hung up before all was said. */
  onGone(listener: () => void): void {
    this.#res.on('close', () => {
      this.#stopBeating();
      if (this.#state !== 'over') listener();
    });
  }

  json(status: number, body: Buffer | string, headers: readonly string[] = []): void {
    if (this.#state !== 'fresh') return;
    this.#state = 'over';
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    this.#head(status, ['content-type', 'application/json', 'content-length', String(bytes.length), ...headers]);
    // as latin1 text, head and body leave in one write
    if (bytes.length <= SMALL && isAscii(bytes)) this.#res.end(bytes.toString('latin1'), 'latin1');
    else this.#res.end(bytes);
  }

  empty(status: number, headers: readonly string[] = []): void {
    if (this.#state !== 'fresh') return;
    this.#state = 'over';
    this.#head(status, status === 204 ? headers : ['content-length', '0', ...headers]);
    this.#res.end();
  }

  /** The head of an event stream goes out at once. */
  stream(headers: readonly string[] = []): void {
    if (this.#state !== 'fresh') return;
    this.#state = 'streaming';
    this.#head(200, [...STREAM_HEADERS, ...headers]);
    this.#res.flushHeaders();
    this.#beat = setInterval(() => this.#comment(), this.#settings.keepAlive).unref();
  }

  /** The promise is there when the agent reads too slowly, and ends when it has caught up or is gone. */
  write(bytes: Buffer): void | Promise<void> {
    if (!this.streaming) return;
    this.#beat?.refresh();
    if (!this.#res.write(bytes)) return this.#drained();
  }

  end(bytes?: Buffer): void {
    if (this.#state !== 'streaming') return;
    this.#state = 'over';
    this.#stopBeating();
    this.#res.end(bytes);
  }

  #head(status: number, headers: readonly string[]): void {
    const close = this.#tooMuchLeft() ? ['connection', 'close'] : [];
    if (close.length > 0) this.#linger();
    this.#res.writeHead(status, [...headers, ...this.#always, ...close]);
  }

  /** A small rest of an unread body is skipped by the server; a long or unknown one is not waited for. */
  #tooMuchLeft(): boolean {
    const { complete, headers } = this.#res.req;
    if (complete) return false;
    return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > SKIPPED;
  }

  /** RFC 9112 §9.6: a connection that is closed with input unread is reset, and takes the answer along. */
  #linger(): void {
    const { req, socket } = this.#res;
    if (socket === null) return;
    socket.destroySoon = () => {
      socket.end();
      req.resume();
      const timer = setTimeout(() => socket.destroy(), LINGER).unref();
      socket.once('close', () => clearTimeout(timer));
    };
  }

  #comment(): void {
    if (this.streaming && !this.#res.writableNeedDrain) this.#res.write(COMMENT);
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const dead = setTimeout(() => this.#res.destroy(), this.#settings.stall).unref();
      const done = (): void => {
        clearTimeout(dead);
        this.#res.off('drain', done).off('close', done);
        resolve();
      };
      this.#res.on('drain', done).on('close', done);
    });
  }

  #stopBeating(): void {
    clearInterval(this.#beat);
    this.#beat = undefined;
  }
}
