/** One live connection to one server, in one era: what the pool may ask of it, and what it tells the pool. */
import type { JsonObject } from '../../gateway/document.ts';
import type { Exchange, Id, Message } from '../../gateway/exchange.ts';
import type { CancelWhy, Grant, Hop, ListenFilter, Outlet, ServerSurface } from '../../gateway/ports.ts';

/** Where the answers of one call go. `refused` tells the HTTP status before the failure it causes. */
export type Sink = Outlet & { refused?(status: number): void };

/** One request that was sent and not answered yet. Its id is the gateway's own, and so is its progress token: the same number. */
export interface Call {
  readonly id: Id;
  readonly method: string;
  /** Undefined for requests of the gateway itself. */
  readonly exchange: Exchange | undefined;
  readonly sink: Sink;
  readonly grant: Grant | undefined;
  open: boolean;
  /** Events that the agent's side has not taken yet. */
  waiting: number;
  /** Milliseconds for which others had to wait because this call's agent reads slowly. */
  stalled: number;
  /** Whether they wait just now. */
  stalling: boolean;
  /** Ends the stream that brings the answer, where it has one of its own. */
  abort: (() => void) | undefined;
}

/** A request of the gateway's own, on behalf of a hop. */
export interface OwnRequest {
  readonly method: string;
  readonly params: JsonObject;
  readonly hop: Pick<Hop, 'caps' | 'clientInfo'>;
}

/** How the gateway names itself. */
export type GatewayName = { readonly name: string; readonly version: string };

/** The grant for what no exchange asks for: lists, streams, sessions. A newer one takes the place of an expired one. */
export interface Lease {
  grant: Grant | undefined;
}

/** W3C trace context for `_meta` of a request (SEP-414), in place of the agent's own. */
export type Trace = (exchange: Exchange) => Readonly<Record<string, string>> | undefined;

export interface Connection {
  readonly surface: ServerSurface;
  /** Sends the opening of an exchange. */
  send(exchange: Exchange, sink: Sink, grant: Grant | undefined): Call;
  ask(request: OwnRequest, sink: Sink): Call;
  /** A notification of the agent, where the era has such. */
  tell(message: Message, grant: Grant | undefined): void;
  /** A notification of the gateway's own, where the era has such. */
  say(method: string, params: JsonObject): void;
  /** Tells the server where the era knows how, and hands nothing to the sink any more. */
  cancel(call: Call, why: CancelWhy): void;
  /** What all listeners together want to hear from now on; resolves with what the server honours of it. */
  listen(filter: ListenFilter): Promise<ListenFilter>;
  /** Open calls fail; process, session and sockets of this connection are gone when it resolves. */
  end(): Promise<void>;
}

/** An exchange that stands for a whole legacy session, and where its messages go. */
export interface Standing {
  readonly exchange: Exchange;
  readonly outlet: Outlet;
}

export interface ConnectionEvents {
  /** The connection is of no use any more; its open calls have failed already. */
  lost(detail: string): void;
  /** The server does not behave as its era does. Open calls may still be answered; new ones need a new connection. */
  contradicted(detail: string): void;
  /** A notification that belongs to no call. */
  news(message: Message): void | Promise<void>;
  /** The one exchange that stands for everything else on this connection, if there is exactly one. */
  standing(): Standing | undefined;
}

/** What a legacy server was told and forgets with its session: replayed when a new one begins. */
export interface SessionMemory {
  level: JsonObject | undefined;
  readonly subscribed: Set<string>;
}

export const NOTHING: ListenFilter = {
  toolsListChanged: false,
  promptsListChanged: false,
  resourcesListChanged: false,
  resourceSubscriptions: [],
  taskIds: [],
};
