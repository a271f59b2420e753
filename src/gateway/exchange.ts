/** What travels: exchanges and their messages. */
import type { Doc, JsonObject, Path } from './document.ts';
import type { MethodRow } from './methods.ts';
import type { Principal } from './principal.ts';
import type { Step } from './verdict.ts';

/** modern: 2026-07-28 and later, stateless. legacy: the `initialize` handshake and sessions. */
export type Era = 'modern' | 'legacy';

export type Direction = 'inward' | 'outward';
export type MessageKind = 'opening' | 'event' | 'closing';

/** The exact source text of a JSON-RPC id: `1` and `"1"` differ, and no digit of a huge one is lost. */
export type Id = string;

/** The endpoint that an agent talks to: all servers joined, or one untouched. */
export type Endpoint = { readonly kind: 'joint' } | { readonly kind: 'server'; readonly server: string };

export type DefinitionKind = 'tool' | 'prompt' | 'resource' | 'template';

/** A tool, prompt, resource or template as its server declares it. `name` is the server's own name (or URI). */
export interface Definition {
  readonly server: string;
  readonly kind: DefinitionKind;
  readonly name: string;
  /** SHA-256 in hex over the JCS form (RFC 8785) of the whole declaration. */
  readonly digest: string;
  /** The declaration, byte for byte as the server wrote it. */
  readonly body: Buffer;
  readonly value: JsonObject;
}

export type Target =
  | { readonly of: 'gateway' }
  | { readonly of: 'servers'; readonly servers: readonly string[] }
  | {
      readonly of: 'definition';
      readonly server: string;
      readonly kind: DefinitionKind;
      readonly name: string;
      readonly definition: Definition | undefined;
    }
  | { readonly of: 'task'; readonly server: string; readonly task: string }
  | { readonly of: 'exchange'; readonly exchange: Exchange };

/** One JSON-RPC message, as it came. An adapter rewrites only its hop's own parts when it sends it on. */
export interface Message {
  readonly kind: MessageKind;
  /** The message's own method; for a closing, that of its exchange. */
  readonly method: string;
  readonly doc: Doc;
  /** Where the payload stands: `params`, `result` or `error`. */
  readonly payload: 'params' | 'result' | 'error';
  /** The server that sent it, where its exchange does not say: news that reach a listening exchange. */
  readonly from?: string;
}

export type ExchangeState = 'open' | 'closed' | 'cancelled';

/** One request with all that belongs to it: its opening, its events, its asks (child exchanges) and its closing. */
export interface Exchange {
  readonly id: string;
  readonly parent: Exchange | undefined;
  /** The exchange this one continues: a multi-round-trip retry or an approved call. */
  readonly resumes: string | undefined;
  readonly row: MethodRow;
  /** Who opened it. Of a standing exchange the proof is renewed by later messages of its session; the key never changes. */
  principal: Principal;
  readonly endpoint: Endpoint;
  /** Where the caller's connection comes from: an IP address, or `socket`. */
  readonly peer?: string;
  /** The hop toward the agent. */
  readonly era: Era;
  readonly version: string;
  /** The JSON-RPC id on the agent's hop; undefined for notifications. */
  readonly requestId: Id | undefined;
  /** The gateway's own name of the legacy session, never the sealed token. */
  readonly session: string | undefined;
  /** What the agent declared that it can do, for this request. */
  readonly caps: JsonObject;
  readonly clientInfo: JsonObject | undefined;
  /** The progress token's exact JSON text, as the agent sent it. */
  readonly progressToken: string | undefined;
  /** Only events at or above this RFC 5424 level are released; undefined (modern): none. */
  readonly logLevel: string | undefined;
  readonly opening: Message;
  readonly run: string;
  /** What narrows a recording within the run, by the agent's own word; nothing is decided by it. */
  readonly recording?: string;
  readonly opened: number;
  /** Epoch milliseconds; at this time the exchange ends with `deadline_passed`. */
  readonly deadline: number;
  readonly trail: Step[];
  /** Version of configuration, policy, principal and pins under which the opening was decided. */
  epoch: number;
  target: Target;
  state: ExchangeState;
}

export const PAYLOAD: Readonly<Record<Message['payload'], Path>> = {
  params: ['params'],
  result: ['result'],
  error: ['error'],
};
