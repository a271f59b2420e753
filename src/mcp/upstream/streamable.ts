/**
 * Streamable HTTP of the legacy revisions (2025-03-26 to 2025-11-25, basic/transports): session id, a GET stream on
 * which the server speaks by itself, and POST streams that may be resumed by GET (SEP-1699).
 */
import type { Grant } from '../../gateway/ports.ts';
import type { Call, Lease } from './connection.ts';
import { TAKEN_MS, reasonOfStatus, sentOff, standingHeaders } from './http.ts';
import type { Abort, HttpServer, HttpTransport, Reading } from './http.ts';
import type { LegacyWire } from './legacy.ts';
import { speaksModern, takeRefusal } from './refusal.ts';
import type { Switchboard } from './switchboard.ts';

export interface StreamableDeps {
  readonly http: HttpServer;
  readonly transport: HttpTransport;
  readonly lease: Lease;
  readonly board: Switchboard;
  /** The server has forgotten the session: makes a new one over this wire. */
  renew(): Promise<void>;
  /** No new session could be made. */
  lost(detail: string): void;
  contradicted(detail: string): void;
}

interface Parcel {
  readonly json: Buffer;
  readonly call: Call;
  readonly grant: Grant | undefined;
  readonly retried: boolean;
}

/** What a stream said about being continued. */
interface Thread {
  last: string | undefined;
  retry: number;
  failures: number;
}

const RETRY_MS = 1000;
const LONGEST_MS = 30_000;
/** A server that says `retry: 0` and closes every stream would keep the gateway busy. */
const SHORTEST_MS = 10;
const FAREWELL_MS = 1000;
const RESUMES = 3;

export class StreamableWire implements LegacyWire {
  readonly #deps: StreamableDeps;
  readonly #path: string;
  readonly #headers = new WeakMap<Grant, readonly string[]>();
  readonly #plain: readonly string[];
  readonly #timers = new Set<NodeJS.Timeout>();
  #session: string | undefined;
  #version: string | undefined;
  #renewing: Parcel[] | undefined;
  #stream: Abort | undefined;
  #ended = false;

  constructor(deps: StreamableDeps) {
    this.#deps = deps;
    this.#path = deps.http.url.pathname + deps.http.url.search;
    this.#plain = standingHeaders(deps.transport.headers, undefined);
  }

  send(json: Buffer, call: Call | undefined, grant: Grant | undefined): void {
    if (call === undefined) void this.notify(json, grant);
    else this.#post({ json, call, grant, retried: false });
  }

  notify(json: Buffer, grant: Grant | undefined): Promise<void> {
    if (this.#ended) return Promise.resolve();
    const headers = this.#postHeaders(grant);
    return sentOff(TAKEN_MS, (on) => this.#deps.http.request('POST', this.#path, headers, json, on));
  }

  begin(version: string): void {
    this.#version = version;
    this.#openStream({ last: undefined, retry: RETRY_MS, failures: 0 });
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    const headers = this.#sessionHeaders(this.#deps.lease.grant);
    this.#ended = true;
    this.#stream?.();
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#session === undefined) return;
    await sentOff(FAREWELL_MS, (on) => this.#deps.http.request('DELETE', this.#path, headers, undefined, on));
  }

  #post(parcel: Parcel): void {
    const { call, json, grant } = parcel;
    if (!call.open) return;
    if (this.#ended) return this.#deps.board.fail(call, 'upstream_unavailable', 'the connection has ended');
    if (this.#renewing !== undefined && !this.#partOfRenewal(call)) return void this.#renewing.push(parcel);
    const { http } = this.#deps;
    call.abort = http.request('POST', this.#path, this.#postHeaders(grant), json, this.#reading(parcel, this.#session));
  }

  #reading(parcel: Parcel, session: string | undefined): Reading {
    const { call } = parcel;
    const { board } = this.#deps;
    const thread: Thread = { last: undefined, retry: RETRY_MS, failures: 0 };
    return {
      head: (status, header) => {
        if (call.method === 'initialize' && status < 300) this.#session = header('mcp-session-id');
      },
      message: (bytes) => board.receive(bytes, call),
      served: () => !call.open,
      eventId: (id) => void (thread.last = id),
      retry: (milliseconds) => void (thread.retry = milliseconds),
      refused: (status, body) => this.#refused(parcel, session, status, body),
      end: () => this.#interrupted(parcel, thread, 'the stream ended before the answer'),
      failed: ({ reason, detail }) => {
        if (reason === 'upstream_lost') this.#interrupted(parcel, thread, detail);
        else board.fail(call, reason, detail);
      },
    };
  }

  #refused(parcel: Parcel, session: string | undefined, status: number, body: Buffer): void {
    const { board } = this.#deps;
    if (session !== undefined && forgotten(status, body)) return this.#forgotten(parcel, session);
    if (status === 400 && speaksModern(body)) this.#deps.contradicted('the server asks for another era');
    takeRefusal(board, parcel.call, status, body);
  }

  /** The refusal says for certain that the request did not run, so it may go out once more. */
  #forgotten(parcel: Parcel, session: string): void {
    const again = { ...parcel, retried: true };
    if (parcel.retried) {
      return this.#deps.board.fail(parcel.call, 'upstream_unavailable', 'the server forgets its sessions at once');
    }
    if (this.#renewing !== undefined) return void this.#renewing.push(again);
    if (session !== this.#session) return this.#post(again);
    this.#renew([again]);
  }

  #renew(waiting: Parcel[]): void {
    this.#renewing = waiting;
    this.#session = undefined;
    this.#version = undefined;
    this.#stream?.();
    this.#deps.renew().then(
      () => this.#resend(),
      (error: Error) => {
        this.#deps.lost(error.message);
        for (const { call } of this.#renewing ?? []) this.#deps.board.fail(call, 'upstream_unavailable', error.message);
      },
    );
  }

  /** The handshake, and once that is through, what the server has to be told again. */
  #partOfRenewal(call: Call): boolean {
    return call.method === 'initialize' || (this.#version !== undefined && call.exchange === undefined);
  }

  #resend(): void {
    const waiting = this.#renewing ?? [];
    this.#renewing = undefined;
    for (const parcel of waiting) this.#post(parcel);
  }

  /** A stream with event ids may be taken up again by GET; without them the answer is lost (SEP-1699). */
  #interrupted(parcel: Parcel, thread: Thread, detail: string): void {
    const { call } = parcel;
    if (!call.open || this.#ended) return;
    const hopeless = thread.last === undefined || thread.failures >= RESUMES;
    if (hopeless) return this.#deps.board.fail(call, 'upstream_lost', detail);
    const timer = this.#after(pauseOf(thread.retry), () => this.#resume(parcel, thread));
    call.abort = () => clearTimeout(timer);
  }

  #resume(parcel: Parcel, thread: Thread): void {
    const { board, http } = this.#deps;
    const { call, grant } = parcel;
    const interrupted = (detail: string) => {
      thread.failures++;
      this.#interrupted(parcel, thread, detail);
    };
    call.abort = http.request('GET', this.#path, this.#getHeaders(thread, grant), undefined, {
      message: (bytes) => board.receive(bytes, call),
      served: () => !call.open,
      eventId: (id) => {
        thread.last = id;
        thread.failures = 0;
      },
      retry: (milliseconds) => void (thread.retry = milliseconds),
      refused: (status) => board.fail(call, 'upstream_lost', `the stream cannot be resumed: HTTP ${status}`),
      end: () => interrupted('the stream ended before the answer'),
      failed: ({ detail }) => interrupted(detail),
    });
  }

  #openStream(thread: Thread): void {
    if (this.#ended || this.#version === undefined) return;
    const { board, http, lease } = this.#deps;
    const session = this.#session;
    this.#stream = http.request('GET', this.#path, this.#getHeaders(thread, lease.grant), undefined, {
      message: (bytes) => {
        thread.failures = 0;
        return board.receive(bytes, undefined);
      },
      eventId: (id) => void (thread.last = id),
      retry: (milliseconds) => void (thread.retry = milliseconds),
      refused: (status) => this.#streamRefused(thread, session, status),
      end: () => this.#reopen(thread, session),
      failed: () => this.#reopen(thread, session),
    });
  }

  /** 405: this server never speaks by itself. A server that failed inside may recover, and an expired token be renewed. */
  #streamRefused(thread: Thread, session: string | undefined, status: number): void {
    if (status === 404 && session !== undefined && session === this.#session && this.#renewing === undefined) {
      return this.#renew([]);
    }
    if (status >= 500 || reasonOfStatus(status) === 'credential_unavailable') this.#reopen(thread, session);
  }

  #reopen(thread: Thread, session: string | undefined): void {
    if (this.#ended || session !== this.#session) return;
    const delay = pauseOf(thread.retry * 2 ** thread.failures++);
    this.#after(delay, () => session === this.#session && this.#openStream(thread));
  }

  #after(milliseconds: number, then: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, milliseconds);
    this.#timers.add(timer);
    return timer;
  }

  #postHeaders(grant: Grant | undefined): string[] {
    const headers = this.#sessionHeaders(grant);
    headers.push('content-type', 'application/json', 'accept', 'application/json, text/event-stream');
    return headers;
  }

  #getHeaders(thread: Thread, grant: Grant | undefined): string[] {
    const headers = this.#sessionHeaders(grant);
    headers.push('accept', 'text/event-stream');
    if (thread.last !== undefined) headers.push('last-event-id', thread.last);
    return headers;
  }

  #sessionHeaders(grant: Grant | undefined): string[] {
    const headers = [...this.#standing(grant)];
    if (this.#version !== undefined) headers.push('mcp-protocol-version', this.#version);
    if (this.#session !== undefined) headers.push('mcp-session-id', this.#session);
    return headers;
  }

  #standing(grant: Grant | undefined): readonly string[] {
    if (grant === undefined) return this.#plain;
    let headers = this.#headers.get(grant);
    if (headers === undefined) {
      headers = standingHeaders(this.#deps.transport.headers, grant);
      this.#headers.set(grant, headers);
    }
    return headers;
  }
}

function pauseOf(milliseconds: number): number {
  return Math.min(Math.max(milliseconds, SHORTEST_MS), LONGEST_MS);
}

/** 404 is the specification's word; server-everything and older servers say 400, -32000, "No valid session ID". */
function forgotten(status: number, body: Buffer): boolean {
  if (status !== 400) return status === 404;
  const text = body.toString('latin1');
  return /"code":\s*-3200[01]\b/.test(text) && /session|not initialized/i.test(text);
}
