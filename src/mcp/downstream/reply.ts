/**
 * Where released messages of one HTTP request go. One JSON answer when nothing but the closing comes; a stream as soon
 * as something comes before it, or after a silence that a proxy might take for death.
 */
import { isObject } from '../../gateway/document.ts';
import type { Era, Exchange, Id, Message } from '../../gateway/exchange.ts';
import type { Arrival, Reply } from '../../gateway/ports.ts';
import type { Reason } from '../../gateway/reasons.ts';
import type { Deny } from '../../gateway/verdict.ts';
import { sseEvent } from '../codec/sse.ts';
import { LegacyWay, performVerb } from './legacy-reply.ts';
import type { SessionRoom } from './legacy-reply.ts';
import type { Outgoing } from './outgoing.ts';
import { closingStatus, renderAsk, renderClosing, renderEvent, renderFailure, renderRefusal } from './render.ts';
import { isModern } from './revisions.ts';

/** How messages of an exchange reach the agent: the response alone (modern), or a stream that survives it (legacy). */
export interface Way {
  part(json: Buffer): void | Promise<void>;
  last(json: Buffer | string, status: number, headers: readonly string[]): void;
  /** The request is taken and nothing has come of it for a while. */
  open(): void;
}

export interface ReplySettings {
  /** Milliseconds after which an unanswered request of an agent that can resume gets its stream and its first event id. */
  readonly primeAfter: number;
  /** Milliseconds after which any other unanswered request gets a stream that can be kept alive. */
  readonly streamAfter: number;
  /** The value of WWW-Authenticate on a 401 for which identity names none. */
  readonly challenge: (reason: Reason) => string;
}

export const REPLY: ReplySettings = {
  primeAfter: 1000,
  streamAfter: 15_000,
  challenge: (reason) => (reason === 'credentials_rejected' ? 'Bearer error="invalid_token"' : 'Bearer'),
};

export class HttpReply implements Reply {
  readonly #arrival: Arrival;
  readonly #out: Outgoing;
  readonly #room: SessionRoom;
  readonly #settings: ReplySettings;
  #way: Way | undefined;
  #patience: NodeJS.Timeout | undefined;

  constructor(arrival: Arrival, out: Outgoing, room: SessionRoom, settings: ReplySettings = REPLY) {
    this.#arrival = arrival;
    this.#out = out;
    this.#room = room;
    this.#settings = settings;
  }

  refuse(
    verdict: Deny,
    requestId: Id | undefined,
    _era?: Era,
    challenges: readonly string[] = [],
    more: readonly (readonly [string, string])[] = [],
  ): void {
    clearTimeout(this.#patience);
    const { status, json } = renderRefusal(verdict, requestId);
    if (status === 202) return this.#out.empty(202);
    const headers = [...this.#headers(verdict, status, challenges), ...more.flat()];
    if (this.#way === undefined) this.#out.json(status, json, headers);
    else this.#way.last(json, status, headers);
  }

  accept(): void {
    this.#out.empty(202);
  }

  event(exchange: Exchange, message: Message): void | Promise<void> {
    const json = renderEvent(exchange, message);
    if (json !== undefined) return this.#wayOf(exchange).part(json);
  }

  ask(child: Exchange, message: Message): void | Promise<void> {
    // 2026-07-28 has no requests toward the agent; `match` stops them, and nothing here would answer one
    if (child.era === 'modern') throw new Error('a modern agent cannot be asked on its response');
    return this.#wayOf(child).part(renderAsk(child, message));
  }

  close(exchange: Exchange, message: Message): void {
    const way = this.#wayOf(exchange);
    clearTimeout(this.#patience);
    this.#room.closed(exchange, message);
    way.last(renderClosing(exchange, message), closingStatus(exchange, message), this.#sessionHeader(exchange));
  }

  fail(exchange: Exchange, verdict: Deny): void {
    const way = this.#wayOf(exchange);
    clearTimeout(this.#patience);
    this.#room.failed(exchange);
    if (exchange.requestId === undefined) return this.refuse(verdict, undefined);
    const { status, json } = renderFailure(exchange, verdict);
    way.last(json, status, this.#headers(verdict, status));
  }

  perform(exchange: Exchange): void {
    performVerb(exchange, this.#arrival, this.#out, this.#room);
  }

  /**
   * The inward crossing is over. If the request was not answered by it, somebody works on it now, and the caller is
   * known to be who the session belongs to.
   */
  crossed(): void {
    if (!this.#out.fresh || this.#arrival.verb !== 'POST') return;
    const token = isModern(this.#arrival.header('mcp-protocol-version'))
      ? undefined
      : this.#arrival.header('mcp-session-id');
    const store = token === undefined ? undefined : this.#room.storeOfToken(token);
    const wait = store === undefined ? this.#settings.streamAfter : this.#settings.primeAfter;
    this.#patience = setTimeout(() => {
      this.#way ??= store === undefined ? new ResponseWay(this.#out) : new LegacyWay(this.#out, store);
      this.#way.open();
    }, wait).unref();
  }

  /** Closing the response of a modern request cancels it (streamable-http); a legacy one goes on without its agent. */
  onGone(cancel: () => void): void {
    this.#out.onGone(() => {
      clearTimeout(this.#patience);
      if (isModern(this.#arrival.header('mcp-protocol-version'))) cancel();
    });
  }

  #wayOf(exchange: Exchange): Way {
    if (this.#way !== undefined) return this.#way;
    const { era, session } = exchange;
    const store = era === 'legacy' && session !== undefined ? this.#room.store(session) : undefined;
    this.#way = store === undefined ? new ResponseWay(this.#out) : new LegacyWay(this.#out, store);
    return this.#way;
  }

  #sessionHeader(exchange: Exchange): readonly string[] {
    const token = exchange.row.method === 'initialize' ? this.#room.tokenOf(exchange) : undefined;
    return token === undefined ? [] : ['mcp-session-id', token];
  }

  #headers(verdict: Deny, status: number, challenges: readonly string[] = []): readonly string[] {
    const named = challenges.length > 0 ? challenges.join(', ') : this.#settings.challenge(verdict.reason);
    // RFC 6750 §3.1: missing scopes are a 403 that says which
    if (status === 401 || (status === 403 && challenges.length > 0)) return ['www-authenticate', named];
    if (status === 405) return ['allow', 'POST'];
    if (status === 429 || status === 503) return ['retry-after', String(retrySeconds(verdict))];
    return [];
  }
}

/** Whole seconds (RFC 9110 §10.2.3). */
function retrySeconds({ data }: Deny): number {
  const wait = isObject(data) ? data['retryAfterMs'] : undefined;
  return typeof wait === 'number' ? Math.max(1, Math.ceil(wait / 1000)) : 1;
}

/** The response is all there is: when it breaks, the request is over. */
class ResponseWay implements Way {
  readonly #out: Outgoing;

  constructor(out: Outgoing) {
    this.#out = out;
  }

  part(json: Buffer): void | Promise<void> {
    this.#out.stream();
    return this.#out.write(message(json));
  }

  last(json: Buffer | string, status: number, headers: readonly string[]): void {
    if (this.#out.fresh) this.#out.json(status, json, headers);
    else this.#out.end(message(json));
  }

  open(): void {
    this.#out.stream();
  }
}

function message(json: Buffer | string): Buffer {
  return sseEvent(json, { event: 'message' });
}
