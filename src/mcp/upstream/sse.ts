/**
 * HTTP+SSE of 2024-11-05: the server names the place for messages in an `endpoint` event, and answers on the stream.
 * The place must be of the same origin: otherwise a server could have the credential sent anywhere.
 */
import type { Grant } from '../../gateway/ports.ts';
import { UpstreamFault } from '../../gateway/ports.ts';
import type { SseEvent } from '../codec/sse.ts';
import type { Call, Lease } from './connection.ts';
import { TAKEN_MS, reasonOfStatus, sentOff, standingHeaders } from './http.ts';
import type { Abort, HttpServer, HttpTransport, Reading } from './http.ts';
import type { LegacyWire } from './legacy.ts';
import { takeRefusal } from './refusal.ts';
import type { Switchboard } from './switchboard.ts';

export interface SseDeps {
  readonly http: HttpServer;
  readonly transport: HttpTransport;
  readonly lease: Lease;
  readonly board: Switchboard;
  lost(detail: string): void;
}

export class SseWire implements LegacyWire {
  readonly #deps: SseDeps;
  readonly #ready = Promise.withResolvers<void>();
  #endpoint: string | undefined;
  #version: string | undefined;
  #stream: Abort | undefined;

  constructor(deps: SseDeps) {
    this.#deps = deps;
  }

  /** Resolves when the server has named its endpoint; rejects with an UpstreamFault. */
  async open(milliseconds: number): Promise<void> {
    const { http } = this.#deps;
    const headers = [...this.#headers(this.#deps.lease.grant), 'accept', 'text/event-stream'];
    const timer = setTimeout(() => this.#failed('no endpoint event in time'), milliseconds);
    this.#stream = http.request('GET', http.url.pathname + http.url.search, headers, undefined, this.#reading());
    try {
      await this.#ready.promise;
    } catch (error) {
      this.#stream();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The endpoint is not waited for any more. */
  abandon(detail: string): void {
    this.#failed(detail);
  }

  send(json: Buffer, call: Call | undefined, grant: Grant | undefined): void {
    if (call === undefined) return void this.notify(json, grant);
    const { board } = this.#deps;
    this.#post(json, grant, {
      message: () => undefined,
      refused: (status, body) => takeRefusal(board, call, status, body),
      // the answer comes on the stream
      end: () => undefined,
      failed: ({ reason, detail }) => board.fail(call, reason, detail),
    });
  }

  notify(json: Buffer, grant: Grant | undefined): Promise<void> {
    return sentOff(TAKEN_MS, (on) => this.#post(json, grant, on));
  }

  begin(version: string): void {
    this.#version = version;
  }

  end(): Promise<void> {
    this.#stream?.();
    this.#endpoint = undefined;
    return Promise.resolve();
  }

  #post(json: Buffer, grant: Grant | undefined, on: Reading): Abort {
    if (this.#endpoint === undefined) {
      on.failed({ reason: 'upstream_unavailable', detail: 'no endpoint' });
      return () => undefined;
    }
    const headers = [...this.#headers(grant), 'content-type', 'application/json', 'accept', 'application/json'];
    return this.#deps.http.request('POST', this.#endpoint, headers, json, on);
  }

  #reading(): Reading {
    const { board } = this.#deps;
    return {
      message: (bytes) => board.receive(bytes, undefined),
      named: (event) => this.#named(event),
      refused: (status) => this.#failed(`HTTP ${status}`, reasonOfStatus(status)),
      end: () => this.#failed('the event stream ended'),
      failed: ({ detail }) => this.#failed(detail),
    };
  }

  #named(event: SseEvent): void {
    if (event.event !== 'endpoint' || this.#endpoint !== undefined) return;
    const { url } = this.#deps.http;
    const text = event.data.toString();
    const endpoint = URL.canParse(text, url) ? new URL(text, url) : undefined;
    if (endpoint === undefined || endpoint.origin !== url.origin)
      return this.#failed('the endpoint is of another origin');
    this.#endpoint = endpoint.pathname + endpoint.search;
    this.#ready.resolve();
  }

  /** Before the endpoint is known this ends the attempt, afterwards the connection. */
  #failed(detail: string, reason: UpstreamFault['reason'] = 'upstream_unavailable'): void {
    this.#ready.reject(new UpstreamFault(reason, `event stream: ${detail}`));
    if (this.#endpoint === undefined) return;
    this.#endpoint = undefined;
    this.#deps.lost(detail);
    this.#deps.board.failAll('upstream_lost', detail);
  }

  #headers(grant: Grant | undefined): string[] {
    const headers = standingHeaders(this.#deps.transport.headers, grant);
    if (this.#version !== undefined) headers.push('mcp-protocol-version', this.#version);
    return headers;
  }
}
