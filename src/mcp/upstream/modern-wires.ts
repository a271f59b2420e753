/** How modern messages travel: a POST each over HTTP, a line each over a pipe. */
import type { Grant } from '../../gateway/ports.ts';
import type { Header } from '../codec/headers.ts';
import type { Call } from './connection.ts';
import { standingHeaders } from './http.ts';
import type { HttpServer, HttpTransport, Reading } from './http.ts';
import type { ModernWire } from './modern.ts';
import { speaksLegacy, takeRefusal } from './refusal.ts';
import { MODERN_VERSION } from './rewrite.ts';
import type { ServerProcess } from './stdio.ts';
import type { Switchboard } from './switchboard.ts';

/** 2026-07-28 basic/transports/streamable-http: closing the response stream is the cancellation. */
export class ModernHttpWire implements ModernWire {
  readonly #http: HttpServer;
  readonly #transport: HttpTransport;
  readonly #board: Switchboard;
  readonly #contradicted: (detail: string) => void;
  readonly #path: string;
  readonly #headers = new WeakMap<Grant, readonly string[]>();
  readonly #plain: readonly string[];

  constructor(http: HttpServer, transport: HttpTransport, board: Switchboard, contradicted: (detail: string) => void) {
    this.#contradicted = contradicted;
    this.#http = http;
    this.#transport = transport;
    this.#board = board;
    this.#path = http.url.pathname + http.url.search;
    this.#plain = this.#fixed(undefined);
  }

  send(json: Buffer, call: Call, mirrored: readonly Header[]): void {
    const headers = [...this.#standing(call.grant)];
    for (const { name, value } of mirrored) headers.push(name, value);
    call.abort = this.#http.request('POST', this.#path, headers, json, this.#reading(call));
  }

  cancel(call: Call): void {
    call.abort?.();
  }

  end(): Promise<void> {
    return Promise.resolve();
  }

  #reading(call: Call): Reading {
    const board = this.#board;
    return {
      message: (bytes) => board.receive(bytes, call),
      served: () => !call.open,
      refused: (status, body) => {
        if (status < 500 && speaksLegacy(status, body)) this.#contradicted('the server asks for another era');
        takeRefusal(board, call, status, body);
      },
      end: () => board.fail(call, 'upstream_lost', 'the answer ended without a result'),
      failed: ({ reason, detail }) => board.fail(call, reason, detail),
    };
  }

  #standing(grant: Grant | undefined): readonly string[] {
    if (grant === undefined) return this.#plain;
    let headers = this.#headers.get(grant);
    if (headers === undefined) {
      headers = this.#fixed(grant);
      this.#headers.set(grant, headers);
    }
    return headers;
  }

  #fixed(grant: Grant | undefined): readonly string[] {
    const own = ['content-type', 'application/json', 'accept', 'application/json, text/event-stream'];
    return [...standingHeaders(this.#transport.headers, grant), ...own, 'mcp-protocol-version', MODERN_VERSION];
  }
}

export function modernStdioWire(process: ServerProcess): ModernWire {
  return {
    send: (json) => process.send(json),
    cancel: (_call, notification) => process.send(notification),
    end: () => process.end(),
  };
}
