/** The modern era (2026-07-28): every request says everything, nothing is remembered, listening is a request too. */
import type { Doc, JsonObject } from '../../gateway/document.ts';
import type { Exchange, Message } from '../../gateway/exchange.ts';
import { UpstreamFault } from '../../gateway/ports.ts';
import type { CancelWhy, Grant, Hop, ListenFilter, ServerSurface } from '../../gateway/ports.ts';
import { writeNotification, writeRequest } from '../codec/envelope.ts';
import { checkParamHeaders, mirroredHeaders } from '../codec/headers.ts';
import { parseJson } from '../codec/json.ts';
import type { Header } from '../codec/headers.ts';
import type { Call, Connection, GatewayName, Lease, OwnRequest, Sink, Trace } from './connection.ts';
import { surface } from './legacy.ts';
import { Listening } from './listen.ts';
import { answerTo } from './own.ts';
import { MODERN_VERSION, mirroredParams, outgoing, ownParams } from './rewrite.ts';
import { member } from './switchboard.ts';
import type { Switchboard } from './switchboard.ts';

/** How modern messages travel. */
export interface ModernWire {
  send(json: Buffer, call: Call, mirrored: readonly Header[]): void;
  /** Tells the server that a call is not wanted any more. */
  cancel(call: Call, notification: Buffer): void;
  end(): Promise<void>;
}

export interface ModernDeps {
  readonly hop: Pick<Hop, 'caps' | 'clientInfo'>;
  readonly lease: Lease;
  readonly gateway: GatewayName;
  readonly trace: Trace;
  readonly patience: number;
  news(message: Message): void | Promise<void>;
}

/** Methods that 2026-07-28 removed. */
const GONE = new Set(['resources/subscribe', 'resources/unsubscribe', 'logging/setLevel', 'ping']);

const EMPTY = emptyResult();

function emptyResult(): Doc {
  const bytes = Buffer.from('{"jsonrpc":"2.0","id":0,"result":{}}');
  const parsed = parseJson(bytes, { bytes: bytes.length, depth: 2 });
  if (!parsed.ok) throw new Error(parsed.detail);
  return parsed.doc;
}

export class ModernConnection implements Connection {
  readonly #board: Switchboard;
  readonly #wire: ModernWire;
  readonly #deps: ModernDeps;
  readonly #listening: Listening;
  #surface: ServerSurface | undefined;

  constructor(board: Switchboard, wire: ModernWire, deps: ModernDeps) {
    this.#board = board;
    this.#wire = wire;
    this.#deps = deps;
    this.#listening = new Listening({
      start: (params, sink) => this.ask({ method: 'subscriptions/listen', params, hop: deps.hop }, sink),
      stop: (call) => this.cancel(call, 'session_ended'),
      news: (message) => deps.news(message),
      patience: deps.patience,
    });
  }

  get surface(): ServerSurface {
    if (this.#surface === undefined) throw new Error('asked for the surface before the discovery');
    return this.#surface;
  }

  /** @throws UpstreamFault when the server does not speak this era */
  async discover(milliseconds: number): Promise<void> {
    const start = (sink: Sink) => this.ask({ method: 'server/discover', params: {}, hop: this.#deps.hop }, sink);
    const doc = await answerTo('server/discover', start, (call) => this.cancel(call, 'deadline_passed'), milliseconds);
    this.#surface = surfaceOf(doc);
    this.#board.asking = false;
  }

  send(exchange: Exchange, sink: Sink, grant: Grant | undefined): Call {
    const call = this.#board.call(exchange.opening.method, sink, exchange, grant);
    if (GONE.has(exchange.opening.method)) return this.#answeredHere(call);
    const { gateway, trace } = this.#deps;
    this.#wire.send(outgoing(exchange, call.id, 'modern', gateway, trace(exchange)), call, headersOf(exchange));
    return call;
  }

  /** What a legacy agent asks for is in force through its listen stream and the `_meta` of its requests. */
  #answeredHere(call: Call): Call {
    queueMicrotask(() => {
      if (this.#board.forget(call))
        call.sink.close({ kind: 'closing', method: call.method, doc: EMPTY, payload: 'result' });
    });
    return call;
  }

  ask(request: OwnRequest, sink: Sink): Call {
    const { method, params, hop } = request;
    const call = this.#board.call(method, sink, undefined, this.#deps.lease.grant);
    const json = Buffer.from(writeRequest(call.id, method, ownParams(params, hop, 'modern', this.#deps.gateway)));
    this.#wire.send(json, call, mirroredHeaders(method, params, undefined));
    return call;
  }

  /** 2026-07-28: a client sends requests only. */
  tell(): void {}

  say(): void {}

  cancel(call: Call, why: CancelWhy): void {
    if (!this.#board.forget(call)) return;
    const params = `{"requestId":${call.id},"reason":${JSON.stringify(why)}}`;
    this.#wire.cancel(call, Buffer.from(writeNotification('notifications/cancelled', params)));
  }

  listen(filter: ListenFilter): Promise<ListenFilter> {
    return this.#listening.want(filter);
  }

  async end(): Promise<void> {
    this.#listening.end();
    await this.#wire.end();
    this.#board.failAll('upstream_lost', 'the connection was ended');
  }
}

/** Definitions stay the same objects for long: whether a tool mirrors arguments is found out once. */
const mirroring = new WeakMap<JsonObject, boolean>();

function headersOf(exchange: Exchange): readonly Header[] {
  const { target, opening } = exchange;
  const declared = target.of === 'definition' ? target.definition?.value : undefined;
  const schema = declared !== undefined && mirrors(declared) ? declared['inputSchema'] : undefined;
  return mirroredHeaders(opening.method, mirroredParams(exchange), schema);
}

function mirrors(declared: JsonObject): boolean {
  let known = mirroring.get(declared);
  if (known === undefined) {
    const checked = checkParamHeaders(declared['inputSchema']);
    known = checked.ok && checked.headers.length > 0;
    mirroring.set(declared, known);
  }
  return known;
}

function surfaceOf(doc: Doc): ServerSurface {
  const result = member(doc.value, 'result');
  const versions = member(result, 'supportedVersions');
  if (!Array.isArray(versions) || !versions.includes(MODERN_VERSION)) {
    throw new UpstreamFault('upstream_garbage', `server/discover: ${MODERN_VERSION} is not among the versions`);
  }
  const info = member(member(result, '_meta'), 'io.modelcontextprotocol/serverInfo');
  return surface('modern', MODERN_VERSION, result, info, doc);
}
