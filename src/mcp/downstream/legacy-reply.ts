/** The legacy side of a reply: streams that can be resumed, and the verbs GET and DELETE of the session. */
import type { Exchange, Id, Message } from '../../gateway/exchange.ts';
import type { Arrival, Reply } from '../../gateway/ports.ts';
import type { Deny } from '../../gateway/verdict.ts';
import { writeError } from '../codec/envelope.ts';
import type { EventStore, ResumableStream } from './event-store.ts';
import type { Outgoing } from './outgoing.ts';
import { renderAsk, renderEvent } from './render.ts';
import type { Way } from './reply.ts';

/** What replies need of the sessions. */
export interface SessionRoom {
  /** The sealed id that an answered `initialize` hands out. */
  tokenOf(initialize: Exchange): string | undefined;
  store(session: string): EventStore | undefined;
  storeOfToken(token: string): EventStore | undefined;
  /** An exchange of a session was answered: what it changed about the session is taken over. */
  closed(exchange: Exchange, message: Message): void;
  failed(exchange: Exchange): void;
  end(session: string): void;
}

/** A request's stream: made with its first event, kept beyond the connection, ended by the closing. */
export class LegacyWay implements Way {
  readonly #out: Outgoing;
  readonly #store: EventStore;
  #stream: ResumableStream | undefined;

  constructor(out: Outgoing, store: EventStore) {
    this.#out = out;
    this.#store = store;
  }

  part(json: Buffer): void | Promise<void> {
    this.open();
    return this.#stream!.send(json);
  }

  last(json: Buffer | string, status: number, headers: readonly string[]): void {
    if (this.#stream === undefined) return this.#out.json(status, json, headers);
    void this.#stream.send(typeof json === 'string' ? Buffer.from(json) : json);
    this.#stream.finish();
  }

  open(): void {
    if (this.#stream !== undefined) return;
    this.#stream = this.#store.open();
    this.#stream.attach(this.#out);
  }
}

/** GET opens the standing stream or resumes any stream of the session; DELETE ends the session. */
export function performVerb(exchange: Exchange, arrival: Arrival, out: Outgoing, room: SessionRoom): void {
  const store = exchange.session === undefined ? undefined : room.store(exchange.session);
  if (store === undefined) return out.json(404, writeError(undefined, -32001, 'Session not found.'));
  if (exchange.row.method === 'session/stream') return stream(arrival.header('last-event-id'), store, out);
  out.empty(204);
  // after this exchange itself is over, so that it is not recorded as cancelled by its own doing
  queueMicrotask(() => room.end(exchange.session!));
}

function stream(lastEventId: string | undefined, store: EventStore, out: Outgoing): void {
  if (lastEventId !== undefined) return resume(lastEventId, store, out);
  if (!store.standing.attached) return store.standing.attach(out);
  // two readers of one stream would each see half of it
  out.json(409, writeError(undefined, -32600, 'This session already has its stream open.'));
}

function resume(lastEventId: string, store: EventStore, out: Outgoing): void {
  const found = store.find(lastEventId);
  if (found !== undefined) return found.stream.attach(out, found.after);
  out.json(400, writeError(undefined, -32600, 'Last-Event-ID names no event of this session.'));
}

/** Messages of the session that belong to no request: news, and asks without one. */
export class StandingReply implements Reply {
  readonly #stream: ResumableStream;
  readonly #ended: () => void;

  constructor(store: EventStore, ended: () => void) {
    this.#stream = store.standing;
    this.#ended = ended;
  }

  event(exchange: Exchange, message: Message): void | Promise<void> {
    const json = renderEvent(exchange, message);
    if (json !== undefined) return this.#stream.send(json);
  }

  ask(child: Exchange, message: Message): void | Promise<void> {
    return this.#stream.send(renderAsk(child, message));
  }

  close(): void {
    this.#ended();
  }

  /** A gateway that stops ends the stream only: calls of the session that are under way may still finish. */
  fail(_exchange: Exchange, verdict: Deny): void {
    this.#stream.finish();
    if (verdict.reason !== 'draining') this.#ended();
  }

  refuse(_verdict: Deny, _requestId: Id | undefined): void {}
  accept(): void {}
  perform(): void {}
}
