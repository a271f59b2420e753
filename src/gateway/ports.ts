/** What the core needs of the rooms around it. The core knows no implementation; compose.ts joins them. */
import type { Doc, Edit, Json, JsonObject } from './document.ts';
import type {
  Definition,
  DefinitionKind,
  Direction,
  Endpoint,
  Era,
  Exchange,
  Id,
  Message,
  MessageKind,
  Target,
} from './exchange.ts';
import type { Principal } from './principal.ts';
import type { Reason } from './reasons.ts';
import type { Deny } from './verdict.ts';

/** Milliseconds since the epoch, and a monotonic clock in milliseconds for durations. Tests bring their own. */
export interface Clock {
  now(): number;
  monotonic(): number;
}

/** pino's shape, the part that is used. Objects come first; no secret ever goes in. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

// ---- downstream edge -------------------------------------------------------------------------------------------

/** The other end of the agent's connection. */
export interface Peer {
  /** IP address, or `socket` for the gateway's own Unix socket (file mode 0600: the same user). */
  readonly address: string;
  readonly encrypted: boolean;
  /** The verified client certificate in DER, where the listener asked for one. */
  readonly certificate: Buffer | undefined;
  /** What the agent sent with it to reach an authority, in DER, nearest first. */
  readonly intermediates?: readonly Buffer[];
}

/** One HTTP request of an agent, before its body is read. */
export interface Arrival {
  readonly verb: 'POST' | 'GET' | 'DELETE';
  readonly endpoint: Endpoint | undefined;
  /** By lower-case name; undefined when absent. */
  header(name: string): string | undefined;
  /** Headers that decide something (authorization, mcp-*, host, origin, content-*) and came more than once. */
  readonly duplicates: readonly string[];
  readonly peer: Peer;
  /** Content-Length, when announced. */
  readonly announced: number | undefined;
  /** Epoch milliseconds. */
  readonly at: number;
  /** Reads the body once; `too_large` as soon as the limit is passed, `gone` when the agent hung up. */
  body(limit: number): Promise<Buffer | 'too_large' | 'gone'>;
}

/** What an agent's message is, or why it cannot be read (the ladder of transports/streamable-http). */
export type Reading =
  | {
      readonly ok: true;
      readonly kind: MessageKind;
      readonly era: Era;
      readonly version: string;
      readonly requestId: Id | undefined;
      readonly message: Message;
      /** `Mcp-Session-Id` as sent, sealed; undefined for modern messages, which never have one. */
      readonly sessionToken: string | undefined;
      /** Modern only (per request); legacy takes them from the session. */
      readonly caps: JsonObject;
      readonly clientInfo: JsonObject | undefined;
      readonly progressToken: string | undefined;
      readonly logLevel: string | undefined;
    }
  | { readonly ok: false; readonly verdict: Deny; readonly requestId: Id | undefined; readonly era: Era };

/** Changing a document: bytes outside the edits stay as they are, and the result is what later stages judge. */
export interface Codec {
  edit(doc: Doc, edits: readonly Edit[]): Doc;
  /** A document that the gateway writes itself; throws on a text that is not strict JSON. */
  read(text: string): Doc;
}

export interface Reader {
  read(arrival: Arrival, bytes: Buffer): Reading;
}

/** A legacy session, as the core sees it. */
export interface Session {
  readonly id: string;
  readonly version: string;
  readonly endpoint: Endpoint;
  readonly caps: JsonObject;
  readonly clientInfo: JsonObject | undefined;
  logLevel: string | undefined;
}

export interface Sessions {
  /** The live session that this token names, if it belongs to this principal and endpoint; undefined otherwise. */
  find(token: string, principal: Principal, endpoint: Endpoint): Session | undefined;
  /** The log level that a live session asked for. */
  level(session: string): string | undefined;
  /** Ends every session of such principals. */
  expel?(gone: (principal: Principal) => boolean, why: CancelWhy): void;
}

/** Where released messages of one exchange go: the agent's side. `Promise` means: wait, the agent reads slowly. */
export interface Reply {
  /**
   * The message did not cross. `challenges` are for WWW-Authenticate (RFC 9110 §11.6.1), where nobody was identified or
   * scopes are missing; `headers` go with them.
   */
  refuse(
    verdict: Deny,
    requestId: Id | undefined,
    era: Era,
    challenges?: readonly string[],
    headers?: readonly (readonly [name: string, value: string])[],
  ): void;
  /** A notification or an answer was taken: 202. */
  accept(): void;
  event(exchange: Exchange, message: Message): void | Promise<void>;
  /** An ask; `child.requestId` is the id to use on the agent's hop. */
  ask(child: Exchange, message: Message): void | Promise<void>;
  close(exchange: Exchange, message: Message): void;
  /** The exchange ends without an answer of the other side. */
  fail(exchange: Exchange, verdict: Deny): void;
  /** A verb of the legacy transport (rows with wire `http`: session/stream, session/end) has crossed: do it. */
  perform(exchange: Exchange): void;
}

/** The registry of agents, asked right after identification, and again before anything is done. */
export interface Agents {
  /**
   * The caller as it is registered (agent, groups, reach), or why it may not call. Synchronous, because every message asks. The
   * answer for an answer is itself as long as nothing about the caller has changed.
   */
  known(principal: Principal): Principal | Deny;
}

// ---- the core itself, as its edges see it ----------------------------------------------------------------------

export interface Handling {
  /** Settles when the inward crossing is over: forwarded, answered, or refused. Never rejects. */
  readonly crossed: Promise<void> | undefined;
  /** The agent hung up, or asked for it. Nothing is handed to the reply afterwards. */
  cancel(why: CancelWhy): void;
}

/** A long exchange that stands for a legacy session: news and asks that belong to no request reach the agent through it. */
export interface Standing {
  readonly exchange: Exchange;
  readonly outlet: Outlet;
  /** A later message of the session brought a newer proof of the same principal: it lives as long as that one. */
  renew(principal: Principal): void;
  /** Ends it; open asks are answered with `cancelled`. */
  end(why: CancelWhy): void;
}

export interface Core {
  /** One message of an agent walks INWARD; everything that comes of it reaches `reply`. Never throws. */
  handle(arrival: Arrival, reply: Reply): Handling;
  /** Opens the standing exchange of a new session, with the principal, run, endpoint and capabilities of its `initialize`. */
  stand(initialize: Exchange, session: string, reply: Reply): Standing;
  /** Exchanges of this session are cancelled and forgotten. */
  endSession(session: string, why: CancelWhy): void;
}

// ---- whoever answers -------------------------------------------------------------------------------------------

export type CancelWhy =
  | 'agent_cancelled'
  | 'agent_gone'
  /** The server took its own ask back. */
  | 'server_cancelled'
  | 'deadline_passed'
  | 'session_ended'
  | 'draining'
  | 'suspended'
  /** The proof of identity that it was opened with has expired or was revoked. */
  | 'proof_ended';

/** What has been sent and may still be influenced. */
export interface Flight {
  /** Nothing may be handed to the outlet afterwards. */
  cancel(why: CancelWhy): void;
  /** An event of the agent for the other side (progress on an ask, cancellation of a child). */
  event?(message: Message): void;
}

/** Where answers come in: everything handed to it crosses OUTWARD before the agent sees a byte. */
export interface Outlet {
  event(message: Message): void | Promise<void>;
  /**
   * The other side asks. `answered` is called once: with the agent's result or error message (already crossed INWARD), or
   * with the verdict that stopped the ask or its answer.
   */
  ask(message: Message, answered: (answer: Message | Deny) => void): void;
  close(message: Message): void;
  /** No answer can come. `detail` is for the operator; `retryAfter`: milliseconds until it is worth trying again, if known. */
  fail(reason: Reason, detail: string, retryAfter?: number): void;
}

/** The secret parts of a connection, issued in `credential`, used by the upstream edge, seen by nobody else. */
export interface Grant {
  /** Names the grant in records; says nothing about the secret. */
  readonly id: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly env: Readonly<Record<string, string>>;
  /** Every secret value in here, for the check that none of them is released. */
  readonly secrets: readonly string[];
}

export interface Answerer {
  /** Sends the exchange's opening to whoever answers it. Must not throw; failures go to the outlet. */
  open(exchange: Exchange, outlet: Outlet, grant: Grant | undefined): Flight;
}

/** What a listening exchange wants to hear (2026-07-28 subscriptions/listen; the same filter serves legacy sessions). */
export interface ListenFilter {
  readonly toolsListChanged: boolean;
  readonly promptsListChanged: boolean;
  readonly resourcesListChanged: boolean;
  readonly resourceSubscriptions: readonly string[];
  readonly taskIds: readonly string[];
}

export interface Attachment {
  /** The filter that the server honours; resolves when it is in force, within the server's deadline. */
  readonly honoured: Promise<ListenFilter>;
  update(filter: ListenFilter): void;
  close(): void;
}

export type ServerState = 'idle' | 'starting' | 'ready' | 'failing' | 'stopped';

export interface ServerStatus {
  readonly server: string;
  readonly state: ServerState;
  readonly era: Era | undefined;
  readonly version: string | undefined;
  readonly connections: number;
  readonly inFlight: number;
  readonly restarts: number;
  /** `open`: calls are refused at once until `retryAt` (epoch milliseconds); `half-open`: one call finds out. */
  readonly breaker?: 'closed' | 'open' | 'half-open';
  readonly retryAt?: number | undefined;
  readonly lastError: string | undefined;
  /** Epoch milliseconds. */
  readonly lastSuccess: number | undefined;
}

/** The hop on whose behalf an upstream connection exists. An `Exchange` is one. */
export type Hop = Pick<Exchange, 'principal' | 'session' | 'run' | 'caps' | 'clientInfo' | 'logLevel'>;

/** What a server says of itself: the InitializeResult or DiscoverResult, as it came. */
export interface ServerSurface {
  readonly era: Era;
  readonly version: string;
  readonly capabilities: JsonObject;
  readonly serverInfo: JsonObject | undefined;
  readonly instructions: string | undefined;
  readonly doc: Doc;
}

export interface Upstreams extends Answerer {
  /** Names the connection that this hop uses at this server: isolation, principal, session and declared capabilities. */
  key(server: string, hop: Hop): string;
  /** Connects if need be. Rejects with an UpstreamFault when the server cannot be reached within the deadline. */
  surface(server: string, hop: Hop, deadline: number): Promise<ServerSurface>;
  /** One request of the gateway's own (lists), answered by `result` or rejected with an UpstreamFault. */
  request(server: string, hop: Hop, method: string, params: JsonObject, deadline: number): Promise<Doc>;
  /** One notification of the gateway's own, for a connection that is open already; otherwise nothing happens. Never throws. */
  notify?(server: string, hop: Hop, method: string, params: JsonObject): void;
  /** News of a server for a listening exchange. */
  attach(server: string, listen: Exchange, filter: ListenFilter, outlet: Outlet): Attachment;
  /** Called for every notification that no exchange asked for, before it reaches listening exchanges: key is that of `key()`. */
  onNews(listener: (server: string, key: string, method: string, params: Json | undefined) => void): void;
  /** Ends what is kept for a legacy session or a principal that is gone. */
  forget(hop: { readonly session?: string; readonly principal?: string }): void;
  status(): readonly ServerStatus[];
  /** Takes changed server settings over; connections of removed or changed servers drain and end. */
  reload(servers: readonly ServerSettings[]): Promise<void>;
  close(): Promise<void>;
}

/** Thrown by upstream calls that are not exchanges. */
export class UpstreamFault extends Error {
  readonly reason: Reason;
  /** The JSON-RPC error that the server answered with, when it did answer. */
  readonly answer: { readonly code: number; readonly message: string; readonly data?: Json } | undefined;
  /** Milliseconds until the server is tried again, where calls are refused without trying. */
  readonly retryAfter: number | undefined;
  constructor(reason: Reason, detail: string, answer?: UpstreamFault['answer'], retryAfter?: number) {
    super(detail);
    this.name = 'UpstreamFault';
    this.reason = reason;
    this.answer = answer;
    this.retryAfter = retryAfter;
  }
}

export type Isolation = 'shared' | 'principal' | 'session';

/** One upstream server, after references were resolved. Durations in milliseconds. */
export interface ServerSettings {
  readonly name: string;
  readonly transport:
    | {
        readonly kind: 'http';
        readonly url: string;
        readonly legacySse: boolean;
        readonly headers: Readonly<Record<string, string>>;
        readonly tls:
          | { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly servername?: string }
          | undefined;
      }
    | {
        readonly kind: 'stdio';
        readonly command: string;
        readonly args: readonly string[];
        readonly cwd: string | undefined;
        readonly env: Readonly<Record<string, string>>;
      };
  readonly isolation: Isolation;
  /** `auto` probes; the others skip it. */
  readonly era: Era | 'auto';
  readonly deadline: number;
  /** A server process or session nobody used for so long is ended. */
  readonly idle: number;
  readonly concurrency: number;
}

/** What telemetry is told. Must not throw and must not keep the exchange alive. */
export interface Observer {
  opened(exchange: Exchange): void;
  /** Between the two somebody else works: the time outside them is what the gateway adds. */
  forwarded?(exchange: Exchange): void;
  answered?(exchange: Exchange): void;
  /** A record of this type goes to the audit part. */
  kept?(type: string): void;
  refused(direction: Direction, stage: string, reason: Reason, exchange: Exchange | undefined): void;
  closed(exchange: Exchange, status: OutcomeStatus, reason: Reason | undefined): void;
}

/** How an exchange ended. `unknown`: the process ended before the answer came. */
export type OutcomeStatus = 'result' | 'error' | 'refused' | 'failed' | 'cancelled' | 'unknown';

// ---- catalog ---------------------------------------------------------------------------------------------------

export interface Catalog extends Answerer {
  /** Servers behind an endpoint, in configured order; undefined: no such endpoint. */
  servers(endpoint: Endpoint): readonly string[] | undefined;
  /** Which server and which exact definition a request means, with the server's own name for it. */
  resolve(exchange: Exchange): Target | Deny | Promise<Target | Deny>;
  /** The name under which an endpoint shows a server's definition. */
  exposed(endpoint: Endpoint, server: string, kind: DefinitionKind, name: string): string;
  /** Known definition of this hop's view, without asking the server. */
  known(server: string, hop: Hop, kind: DefinitionKind, name: string): Definition | undefined;
  /** Merged capabilities, instructions and name of an endpoint for `initialize`; waits for servers up to the deadline. */
  surface(endpoint: Endpoint, hop: Hop, deadline: number): Promise<EndpointSurface>;
  close(): Promise<void>;
}

export interface EndpointSurface {
  readonly capabilities: JsonObject;
  readonly serverInfo: JsonObject;
  readonly instructions: string | undefined;
}
