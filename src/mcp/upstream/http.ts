/**
 * One HTTP server: its keep-alive sockets, and the reading of its answers, JSON or event stream. Redirects are never
 * followed: a credential would travel to whatever place the answer names.
 */
import { Pool } from 'undici';
import type { Dispatcher } from 'undici';
import type { Grant, ServerSettings } from '../../gateway/ports.ts';
import type { Reason } from '../../gateway/reasons.ts';
import { SseReader } from '../codec/sse.ts';
import type { SseEvent } from '../codec/sse.ts';

export type HttpTransport = Extract<ServerSettings['transport'], { kind: 'http' }>;

/** Answers to one request. After `refused`, `end` or `failed`, and after an abort, nothing comes any more. */
export interface Reading {
  head?(status: number, header: (name: string) => string | undefined): void;
  /** One message: the whole JSON body of a 2xx answer, or the data of one event. A promise pauses the stream. */
  message(bytes: Buffer): void | Promise<void>;
  /** An event with a name of its own. */
  named?(event: SseEvent): void;
  eventId?(id: string): void;
  retry?(milliseconds: number): void;
  /** Whether what was waited for has come, so that the stream need not go on. */
  served?(): boolean;
  /** A status other than 2xx, with the start of its body. */
  refused(status: number, body: Buffer): void;
  end(): void;
  failed(fault: HttpFault): void;
}

export interface HttpFault {
  readonly reason: Extract<
    Reason,
    'upstream_unavailable' | 'upstream_lost' | 'upstream_garbage' | 'upstream_too_large'
  >;
  readonly detail: string;
}

export type Abort = () => void;

const LINGER_MS = 2000;
/** Milliseconds that a server has to take a notification. */
export const TAKEN_MS = 5000;
const CONNECT_MS = 10_000;
/** Bytes of a refusal's body that are read. */
const REFUSAL = 64 * 1024;
/** Field names, id, blank lines around the data of one event. */
const EVENT_FRAME = 4096;

export class HttpServer {
  readonly url: URL;
  readonly #pool: Pool;
  readonly #limit: number;

  constructor(transport: HttpTransport, limit: number) {
    this.url = new URL(transport.url);
    this.#limit = limit;
    const connect = { ...transport.tls, timeout: CONNECT_MS };
    // streams stay silent for as long as they like; who waits for an answer has a deadline of its own
    this.#pool = new Pool(this.url.origin, { connect, bodyTimeout: 0, headersTimeout: 0, allowH2: false });
  }

  /** `path` includes the query. */
  request(
    method: 'POST' | 'GET' | 'DELETE',
    path: string,
    headers: readonly string[],
    body: Buffer | undefined,
    on: Reading,
  ): Abort {
    const answer = new Answer(on, this.#limit);
    try {
      this.#pool.dispatch({ method, path, headers: headers as string[], body: body ?? null }, answer);
    } catch (error) {
      answer.onResponseError(undefined, error as Error);
    }
    return () => answer.abort();
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

class Answer implements Dispatcher.DispatchHandler {
  readonly #on: Reading;
  readonly #limit: number;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #type = '';
  #events: SseReader | undefined;
  #first: Buffer | undefined;
  #rest: Buffer[] | undefined;
  #size = 0;
  #over = false;
  /** Messages that are not taken yet. The stream goes on after the last of them: one chunk may bring hundreds. */
  #untaken = 0;

  constructor(on: Reading, limit: number) {
    this.#on = on;
    this.#limit = limit;
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#controller?.abort(new Error('not wanted any more'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) controller.abort(new Error('not wanted any more'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200 || this.#over) return;
    const header = (name: string) => single(headers[name]);
    this.#status = status;
    this.#type = mediaType(header('content-type'));
    this.#on.head?.(status, header);
    if (this.#over) return;
    const encoding = header('content-encoding');
    if (encoding !== undefined && encoding !== 'identity') this.#fail('upstream_garbage', 'the answer is compressed');
    else if (this.#ok() && this.#type === 'text/event-stream') this.#events = this.#reader();
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    if (this.#events !== undefined) return this.#events.push(chunk);
    if (this.#ok() && this.#size + chunk.length > this.#limit) return this.#tooLarge();
    if (!this.#ok() && this.#size > REFUSAL) return;
    this.#size += chunk.length;
    if (this.#first === undefined) this.#first = chunk;
    else (this.#rest ??= []).push(chunk);
  }

  onResponseEnd(): void {
    if (this.#over) return;
    if (!this.#ok()) return this.#refused();
    if (this.#events !== undefined) this.#events.end();
    else if (this.#first !== undefined && !this.#whole(this.#body())) return;
    this.#over = true;
    this.#on.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#over) return;
    this.#over = true;
    // without a controller no byte has left: undici starts a request once it has a socket
    const reason = this.#controller === undefined ? 'upstream_unavailable' : 'upstream_lost';
    this.#on.failed({ reason, detail: describe(error) });
  }

  #ok(): boolean {
    return this.#status < 300;
  }

  #whole(body: Buffer): boolean {
    if (this.#type === 'application/json') void this.#on.message(body);
    // 202 has nothing to say, and some servers say it in words
    else if (this.#status !== 202) this.#fail('upstream_garbage', `the answer is ${this.#type || 'of no type'}`);
    return !this.#over;
  }

  #refused(): void {
    this.#over = true;
    this.#on.refused(this.#status, this.#first === undefined ? Buffer.alloc(0) : this.#body());
  }

  #body(): Buffer {
    return this.#rest === undefined ? this.#first! : Buffer.concat([this.#first!, ...this.#rest]);
  }

  #reader(): SseReader {
    return new SseReader(
      { event: this.#limit + EVENT_FRAME },
      {
        event: (event) => this.#event(event),
        // an event cut short is dropped; the end of the stream says the rest
        fault: ({ fault }) => (fault === 'too_large' ? this.#tooLarge() : undefined),
        id: (id) => this.#on.eventId?.(id),
        retry: (milliseconds) => this.#on.retry?.(milliseconds),
      },
    );
  }

  #event(event: SseEvent): void {
    if (this.#over) return;
    if (event.event !== 'message') return this.#on.named?.(event);
    if (event.data.length === 0) return;
    const taken = this.#on.message(event.data);
    if (taken !== undefined) this.#pauseFor(taken);
    if (this.#on.served?.() === true) this.#linger();
  }

  /** The server ends its stream after the answer; one that does not would keep the socket for ever. */
  #linger(): void {
    const timer = setTimeout(() => this.abort(), LINGER_MS);
    timer.unref();
  }

  #pauseFor(taken: Promise<void>): void {
    this.#untaken += 1;
    this.#controller?.pause();
    const go = () => {
      this.#untaken -= 1;
      if (this.#untaken === 0) this.#controller?.resume();
    };
    taken.then(go, go);
  }

  #tooLarge(): void {
    this.#fail('upstream_too_large', `an answer is larger than ${this.#limit} bytes`);
  }

  #fail(reason: HttpFault['reason'], detail: string): void {
    if (this.#over) return;
    this.abort();
    this.#on.failed({ reason, detail });
  }
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function mediaType(value: string | undefined): string {
  return value === undefined ? '' : value.split(';', 1)[0]!.trim().toLowerCase();
}

function describe(error: Error & { code?: string }): string {
  const code = error.code === undefined ? '' : `${error.code}: `;
  return `${code}${error.message || error.name}`;
}

/** A request whose answer does not matter: resolves when it is answered, has failed, or takes too long. */
export function sentOff(milliseconds: number, start: (on: Reading) => Abort): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => resolve();
  const abort = start({ message: () => undefined, end: done, refused: done, failed: done });
  const timer = setTimeout(() => {
    abort();
    resolve();
  }, milliseconds);
  return promise.finally(() => clearTimeout(timer));
}

/** What a status says about a request that was answered with it: refused before it ran, or nobody knows. */
export function reasonOfStatus(status: number): Reason {
  if (status === 401 || status === 403) return 'credential_unavailable';
  return status >= 500 && status !== 503 ? 'upstream_lost' : 'upstream_unavailable';
}

/** Headers that this edge alone writes. */
const OWN = /^(?:accept|connection|content-.*|host|last-event-id|mcp-.*|transfer-encoding)$/i;

/** Flat headers of a server: those of its settings and of the grant, which wins where both name one. */
export function standingHeaders(settings: Readonly<Record<string, string>>, grant: Grant | undefined): string[] {
  const merged = new Map<string, string>();
  for (const [name, value] of Object.entries(settings)) merged.set(name.toLowerCase(), value);
  for (const [name, value] of grant?.headers ?? []) merged.set(name.toLowerCase(), value);
  return [...merged].filter(([name]) => !OWN.test(name)).flat();
}
