/** The legacy era: the `initialize` handshake, then one conversation in which both sides may ask. */
import type { Doc, Json, JsonObject } from '../../gateway/document.ts';
import { isObject } from '../../gateway/document.ts';
import type { Exchange, Message } from '../../gateway/exchange.ts';
import { UpstreamFault } from '../../gateway/ports.ts';
import type { CancelWhy, Grant, Hop, ListenFilter, ServerSurface } from '../../gateway/ports.ts';
import { writeNotification, writeRequest } from '../codec/envelope.ts';
import type { Call, Connection, GatewayName, Lease, OwnRequest, SessionMemory, Sink, Trace } from './connection.ts';
import { answerTo, closingSeen } from './own.ts';
import { outgoing, ownParams } from './rewrite.ts';
import { member, text } from './switchboard.ts';
import type { Switchboard } from './switchboard.ts';

/** How messages of one legacy conversation travel. What comes in goes to the switchboard. */
export interface LegacyWire {
  /** Sends a request, or an answer to the server (no call). */
  send(json: Buffer, call: Call | undefined, grant: Grant | undefined): void;
  /** Resolves when the server has taken it, or never will. */
  notify(json: Buffer, grant: Grant | undefined): Promise<void>;
  /** The handshake is over: everything says this version from now on, and the server may speak by itself. */
  begin(version: string): void;
  end(): Promise<void>;
}

export interface LegacyDeps {
  readonly hop: Pick<Hop, 'caps' | 'clientInfo'>;
  readonly gateway: GatewayName;
  readonly trace: Trace;
  readonly lease: Lease;
  readonly memory: SessionMemory;
  /** Milliseconds for one answer to the gateway's own requests. */
  readonly patience: number;
}

/** RFC 5424, the most talkative first. */
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

/** Resources that one connection may be subscribed to: all are told again to a server that forgot them. */
const MOST_SUBSCRIBED = 4096;

const OFFERED = '2025-11-25';
const SPOKEN = new Set([OFFERED, '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07']);

export class LegacyConnection implements Connection {
  readonly #board: Switchboard;
  readonly #wire: LegacyWire;
  readonly #deps: LegacyDeps;
  #surface: ServerSurface | undefined;
  #wanted: readonly string[] = [];
  #subscribing: Promise<readonly string[]> = Promise.resolve([]);

  constructor(board: Switchboard, wire: LegacyWire, deps: LegacyDeps) {
    this.#board = board;
    this.#wire = wire;
    this.#deps = deps;
  }

  get surface(): ServerSurface {
    if (this.#surface === undefined) throw new Error('asked for the surface before the handshake');
    return this.#surface;
  }

  /** Once at the start, and again whenever the server has forgotten the session. */
  async handshake(milliseconds: number): Promise<void> {
    const { hop, gateway } = this.#deps;
    const params = { protocolVersion: OFFERED, capabilities: hop.caps, clientInfo: clientInfo(hop, gateway) };
    const doc = await this.#answer('initialize', params, milliseconds);
    this.#surface = surfaceOf(doc);
    this.#wire.begin(this.#surface.version);
    await this.#wire.notify(Buffer.from(writeNotification('notifications/initialized')), this.#deps.lease.grant);
    await this.#replay();
  }

  send(exchange: Exchange, sink: Sink, grant: Grant | undefined): Call {
    const { method } = exchange.opening;
    const call = this.#board.call(method, this.#remembering(exchange, sink), exchange, grant);
    if (this.#tooMany(exchange)) return this.#refused(call);
    const json = outgoing(exchange, call.id, 'legacy', this.#deps.gateway, this.#deps.trace(exchange));
    const raised = this.#raise(exchange);
    if (raised === undefined) this.#wire.send(json, call, grant);
    else void raised.then(() => call.open && this.#wire.send(json, call, grant));
    return call;
  }

  #tooMany({ opening }: Exchange): boolean {
    const { subscribed } = this.#deps.memory;
    if (opening.method !== 'resources/subscribe' || subscribed.size < MOST_SUBSCRIBED) return false;
    return !subscribed.has(text(member(member(opening.doc.value, 'params'), 'uri')));
  }

  #refused(call: Call): Call {
    const detail = `${MOST_SUBSCRIBED} resources are subscribed to on this connection`;
    queueMicrotask(() => this.#board.fail(call, 'limit_reached', detail));
    return call;
  }

  /**
   * A modern agent asks for logs with its request, this server by a word that holds for the connection: it is told the most
   * talkative level that anybody asked for, and the core lets each request have its own (`match`).
   */
  #raise({ era, logLevel }: Exchange): Promise<void> | undefined {
    if (era === 'legacy' || logLevel === undefined || !isObject(this.surface.capabilities['logging'])) return undefined;
    const told = text(this.#deps.memory.level?.['level']);
    if (told !== '' && LEVELS.indexOf(told) <= LEVELS.indexOf(logLevel)) return undefined;
    const level = { level: logLevel };
    this.#deps.memory.level = level;
    return this.#tell('logging/setLevel', level, () => undefined);
  }

  ask(request: OwnRequest, sink: Sink): Call {
    const call = this.#board.call(request.method, this.#levelling(request, sink), undefined, this.#deps.lease.grant);
    const params = ownParams(request.params, request.hop, 'legacy', this.#deps.gateway);
    this.#wire.send(Buffer.from(writeRequest(call.id, request.method, params)), call, call.grant);
    return call;
  }

  tell(message: Message, grant: Grant | undefined): void {
    void this.#wire.notify(message.doc.bytes, grant ?? this.#deps.lease.grant);
  }

  say(method: string, params: JsonObject): void {
    void this.#wire.notify(Buffer.from(writeNotification(method, JSON.stringify(params))), this.#deps.lease.grant);
  }

  cancel(call: Call, why: CancelWhy): void {
    if (!this.#board.forget(call)) return;
    const params = `{"requestId":${call.id},"reason":${JSON.stringify(why)}}`;
    void this.#wire.notify(Buffer.from(writeNotification('notifications/cancelled', params)), call.grant);
    call.abort?.();
  }

  async listen(filter: ListenFilter): Promise<ListenFilter> {
    this.#wanted = filter.resourceSubscriptions;
    const subscriptions = await this.#reconcile();
    const { capabilities } = this.surface;
    const changes = (kind: string) => member(capabilities[kind], 'listChanged') === true;
    return {
      toolsListChanged: filter.toolsListChanged && changes('tools'),
      promptsListChanged: filter.promptsListChanged && changes('prompts'),
      resourcesListChanged: filter.resourcesListChanged && changes('resources'),
      resourceSubscriptions: subscriptions,
      taskIds: filter.taskIds,
    };
  }

  async end(): Promise<void> {
    await this.#wire.end();
    this.#board.failAll('upstream_lost', 'the connection was ended');
  }

  /** One after the other: two at once would subscribe twice. */
  #reconcile(): Promise<readonly string[]> {
    const subscribed = this.#subscribing.then(() => this.#subscribe(this.#wanted));
    this.#subscribing = subscribed;
    return subscribed;
  }

  /** Brings what the server was told in line with what is wanted; resolves with what it accepted. */
  async #subscribe(wanted: readonly string[]): Promise<readonly string[]> {
    const { subscribed } = this.#deps.memory;
    if (member(this.surface.capabilities['resources'], 'subscribe') !== true) return [];
    const superfluous = [...subscribed].filter((uri) => !wanted.includes(uri));
    const missing = wanted.filter((uri) => !subscribed.has(uri));
    await Promise.all([
      ...superfluous.map((uri) => this.#tell('resources/unsubscribe', { uri }, () => subscribed.delete(uri))),
      ...missing.map((uri) => this.#tell('resources/subscribe', { uri }, () => subscribed.add(uri))),
    ]);
    return wanted.filter((uri) => subscribed.has(uri));
  }

  async #replay(): Promise<void> {
    const { level, subscribed } = this.#deps.memory;
    const uris = [...subscribed];
    subscribed.clear();
    if (level !== undefined) await this.#tell('logging/setLevel', level, () => undefined);
    await this.#subscribe(uris);
  }

  /** Tells the server something; a refusal of it must not cost the connection. */
  async #tell(method: string, params: JsonObject, done: () => void): Promise<void> {
    const answer = await this.#answer(method, params, this.#deps.patience).catch(() => undefined);
    if (answer !== undefined) done();
  }

  #answer(method: string, params: JsonObject, milliseconds: number): Promise<Doc> {
    const start = (sink: Sink) => this.ask({ method, params, hop: this.#deps.hop }, sink);
    return answerTo(method, start, (call) => void this.#board.forget(call), milliseconds);
  }

  /** One session's word must not end what others listen to. */
  #unsubscribed(uri: string): void {
    this.#deps.memory.subscribed.delete(uri);
    if (this.#wanted.includes(uri)) void this.#reconcile();
  }

  /** Levels of agents come merged, as requests of the gateway's own. */
  #levelling({ method, params }: OwnRequest, sink: Sink): Sink {
    if (method !== 'logging/setLevel') return sink;
    return closingSeen(sink, ({ payload }) => {
      if (payload === 'result') this.#deps.memory.level = { level: params['level'] ?? null };
    });
  }

  #remembering(exchange: Exchange, sink: Sink): Sink {
    const params = member(exchange.opening.doc.value, 'params');
    const { memory } = this.#deps;
    const uri = text(member(params, 'uri'));
    switch (exchange.opening.method) {
      case 'logging/setLevel':
        return closingSeen(sink, ({ payload }) => {
          if (payload === 'result' && isObject(params)) memory.level = { level: params['level'] ?? null };
        });
      case 'resources/subscribe':
        return closingSeen(sink, ({ payload }) => void (payload === 'result' && memory.subscribed.add(uri)));
      case 'resources/unsubscribe':
        return closingSeen(sink, ({ payload }) => void (payload === 'result' && this.#unsubscribed(uri)));
      default:
        return sink;
    }
  }
}

function clientInfo(hop: LegacyDeps['hop'], gateway: LegacyDeps['gateway']): JsonObject {
  const { clientInfo: info } = hop;
  const named = typeof info?.['name'] === 'string' && typeof info['version'] === 'string';
  return named ? info : { name: gateway.name, version: gateway.version };
}

function surfaceOf(doc: Doc): ServerSurface {
  const result = member(doc.value, 'result');
  const version = member(result, 'protocolVersion');
  if (typeof version !== 'string' || !SPOKEN.has(version)) {
    throw new UpstreamFault('upstream_garbage', `initialize: no protocol version that is spoken here`);
  }
  return surface('legacy', version, result, member(result, 'serverInfo'), doc);
}

export function surface(
  era: ServerSurface['era'],
  version: string,
  result: Json | undefined,
  info: Json | undefined,
  doc: Doc,
): ServerSurface {
  const capabilities = member(result, 'capabilities');
  const instructions = member(result, 'instructions');
  return {
    era,
    version,
    capabilities: isObject(capabilities) ? capabilities : {},
    serverInfo: isObject(info) ? info : undefined,
    instructions: typeof instructions === 'string' ? instructions : undefined,
    doc,
  };
}
