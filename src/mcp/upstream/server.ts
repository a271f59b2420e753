/** One server of the configuration: its sockets, its era, its bound on calls, and a channel per key. */
import type { Json } from '../../gateway/document.ts';
import type { Clock, Grant, Hop, Log, ServerSettings, ServerState, ServerStatus } from '../../gateway/ports.ts';
import type { Principal } from '../../gateway/principal.ts';
import type { JsonLimits } from '../codec/json.ts';
import type { Attached } from './attached.ts';
import { Breaker } from './breaker.ts';
import { Channel } from './channel.ts';
import type { Trace } from './connection.ts';
import { EraMemory } from './era.ts';
import { Gate } from './gate.ts';
import { keyOf } from './key.ts';
import { HttpServer } from './http.ts';

export interface UpstreamDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Of one message of a server: bytes and nesting. */
  readonly limits: JsonLimits;
  /** How the gateway names itself to servers when the agent has no name. */
  readonly gateway: { readonly name: string; readonly version: string };
  /** The credential for connections, lists and streams that the gateway opens itself. Throws when there is none to have. */
  issue(server: string, principal: Principal): Grant | undefined | Promise<Grant | undefined>;
  /** W3C trace context for `_meta` of a request (SEP-414), in place of the agent's own. */
  readonly trace?: Trace;
}

type NewsHook = (key: string, method: string, params: Json | undefined) => void;

/** Processes of one key that may wait for agents at once. */
const SPARE_PROCESSES = 8;

const untraced: Trace = () => undefined;

export class Server {
  readonly settings: ServerSettings;
  readonly #deps: UpstreamDeps;
  readonly #news: NewsHook;
  readonly #http: HttpServer | undefined;
  readonly #era: EraMemory;
  readonly #gate: Gate;
  readonly #breaker: Breaker;
  readonly #channels = new Map<string, Channel>();
  readonly #ending = new Set<Promise<void>>();
  readonly #drained = Promise.withResolvers<void>();
  #draining = false;
  #closed = false;

  constructor(settings: ServerSettings, deps: UpstreamDeps, news: NewsHook) {
    const { transport } = settings;
    this.settings = settings;
    this.#deps = deps;
    this.#news = news;
    this.#http = transport.kind === 'http' ? new HttpServer(transport, deps.limits.bytes) : undefined;
    this.#era = new EraMemory(deps.clock);
    this.#gate = new Gate(settings.concurrency);
    this.#breaker = new Breaker(deps.clock);
  }

  /**
   * The channel for a call. On stdio a server says whom it asks only if one call is open; a modern agent's call that waits for
   * its agent to come back would make every other ask ambiguous (law 10). Its calls need no common state, so others go to
   * another process meanwhile.
   */
  forCall(key: string, hop: Hop): Channel {
    let channel = this.channel(key, hop);
    if (this.settings.transport.kind !== 'stdio' || hop.session !== undefined || this.modern) return channel;
    for (let spare = 2; channel.asking && spare <= SPARE_PROCESSES; spare += 1)
      channel = this.channel(`${key}#${spare}`, hop);
    return channel;
  }

  channel(key: string, hop: Hop): Channel {
    let channel = this.#channels.get(key) ?? this.#rekeyed(key);
    if (channel === undefined) {
      channel = this.#open(key, hop);
      this.#channels.set(key, channel);
    }
    return channel;
  }

  /** The channel of this key, if there is one. */
  open(key: string): Channel | undefined {
    return this.#channels.get(key);
  }

  /** The connection that was opened under a longer key, before the server was known to be modern. */
  #rekeyed(key: string): Channel | undefined {
    if (!this.modern) return undefined;
    const { name, isolation } = this.settings;
    for (const channel of this.#channels.values()) {
      if (keyOf(name, isolation, channel.hop, true) !== key) continue;
      this.#channels.delete(channel.key);
      channel.key = key;
      this.#channels.set(key, channel);
      return channel;
    }
    return undefined;
  }

  /** Whether capabilities go with each request, and one connection serves hops of any. */
  get modern(): boolean {
    return (this.#era.known()?.era ?? this.settings.era) === 'modern';
  }

  attachments(): readonly Attached[] {
    return [...this.#channels.values()].flatMap((channel) => channel.attachments);
  }

  forget(hop: { readonly session?: string; readonly principal?: string }): void {
    const { isolation } = this.settings;
    if (isolation === 'shared') return;
    for (const channel of this.#channels.values()) {
      const { session, principal } = channel.hop;
      const ofSession = isolation === 'session' && session !== undefined && session === hop.session;
      if (ofSession || principal.key === hop.principal) this.#end(channel);
    }
  }

  /** Resolves when the last call is answered and everything is closed. */
  async drain(): Promise<void> {
    this.#draining = true;
    for (const channel of this.#channels.values()) channel.drain();
    this.#whenEmpty();
    await this.#drained.promise;
    await this.close();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const channel of this.#channels.values()) this.#end(channel);
    await Promise.all(this.#ending);
    await this.#http?.close();
    this.#drained.resolve();
  }

  status(): ServerStatus {
    const channels = [...this.#channels.values()];
    const surface = channels.find(({ connection }) => connection !== undefined)?.connection?.surface;
    const successes = channels.map(({ lastSuccess }) => lastSuccess ?? 0);
    return {
      server: this.settings.name,
      state: this.#state(channels),
      era: surface?.era ?? this.#era.known()?.era,
      version: surface?.version,
      connections: channels.filter(({ connection }) => connection !== undefined).length,
      inFlight: channels.reduce((sum, { inFlight }) => sum + inFlight, 0),
      restarts: channels.reduce((sum, { restarts }) => sum + restarts, 0),
      breaker: this.#breaker.state,
      retryAt: this.#breaker.retryAt,
      lastError: channels.find(({ lastError }) => lastError !== undefined)?.lastError,
      lastSuccess: Math.max(0, ...successes) || undefined,
    };
  }

  #state(channels: readonly Channel[]): ServerState {
    if (this.#closed || this.#draining) return 'stopped';
    if (channels.some(({ connection }) => connection !== undefined)) return 'ready';
    if (channels.some(({ starting }) => starting)) return 'starting';
    return channels.some(({ lastError }) => lastError !== undefined) ? 'failing' : 'idle';
  }

  #open(key: string, hop: Hop): Channel {
    const { clock, log, limits, gateway } = this.#deps;
    // an exchange holds its whole request: only what names the hop is kept
    const { principal, session, run, caps, clientInfo, logLevel } = hop;
    const channel: Channel = new Channel(
      key,
      { principal, session, run, caps, clientInfo, logLevel },
      {
        settings: this.settings,
        http: this.#http,
        era: this.#era,
        gate: this.#gate,
        breaker: this.#breaker,
        clock,
        log,
        limits,
        gateway,
        trace: this.#deps.trace ?? untraced,
        issue: (server, principal) => this.#deps.issue(server, principal),
        news: this.#news,
        ended: () => this.#ended(channel),
      },
    );
    return channel;
  }

  #end(channel: Channel): void {
    this.#follow(channel.end());
  }

  #ended(channel: Channel): void {
    if (this.#channels.get(channel.key) === channel) this.#channels.delete(channel.key);
    this.#follow(channel.end());
    this.#whenEmpty();
  }

  #follow(end: Promise<void>): void {
    this.#ending.add(end);
    void end.finally(() => this.#ending.delete(end));
  }

  #whenEmpty(): void {
    if (this.#draining && this.#channels.size === 0) this.#drained.resolve();
  }
}
