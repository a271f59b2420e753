/**
 * What one key stands for: one connection at a time, started once however many wait for it, started again after a
 * crash, ended when nobody needs it. Listeners and what the server was told outlive the connection.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Exchange, Message } from '../../gateway/exchange.ts';
import type { Doc, Json, JsonObject } from '../../gateway/document.ts';
import { UpstreamFault } from '../../gateway/ports.ts';
import type { Attachment, Clock, Grant, Hop, ListenFilter, Log, Outlet, ServerSettings } from '../../gateway/ports.ts';
import type { Principal } from '../../gateway/principal.ts';
import type { JsonLimits } from '../codec/json.ts';
import { Attached } from './attached.ts';
import { Backoff } from './backoff.ts';
import type { Breaker } from './breaker.ts';
import { NOTHING } from './connection.ts';
import type { Connection, ConnectionEvents, Lease, SessionMemory, Trace } from './connection.ts';
import type { EraMemory } from './era.ts';
import type { Gate } from './gate.ts';
import type { HttpServer } from './http.ts';
import { Listeners } from './listeners.ts';
import { RefusedFault, answerTo, asFault } from './own.ts';
import { Passage } from './passage.ts';
import type { Leaving, Quay } from './passage.ts';
import { scrub, secretsOf } from './scrub.ts';
import { connect } from './start.ts';
import { member } from './switchboard.ts';

export interface ChannelDeps {
  readonly settings: ServerSettings;
  readonly http: HttpServer | undefined;
  readonly era: EraMemory;
  readonly gate: Gate;
  readonly breaker: Breaker;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: JsonLimits;
  readonly gateway: { readonly name: string; readonly version: string };
  readonly trace: Trace;
  readonly issue: (server: string, principal: Principal) => Grant | undefined | Promise<Grant | undefined>;
  news(key: string, method: string, params: Json | undefined): void;
  /** Nobody needs the channel any more; it has ended. */
  ended(key: string): void;
}

interface Listened {
  readonly connection: Connection;
  readonly wanted: ListenFilter;
  readonly honoured: Promise<ListenFilter>;
}

/** A call waits so long for a server that is being restarted, and is told at once when it takes longer. */
const WORTH_WAITING_MS = 1000;
/** What a timer of Node can hold; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class Channel implements Quay {
  /** Shorter once the server is known to be modern. */
  key: string;
  readonly hop: Hop;
  readonly gate: Gate;
  readonly #deps: ChannelDeps;
  readonly #passages = new Set<Passage>();
  readonly #listeners = new Listeners();
  readonly #memory: SessionMemory = { level: undefined, subscribed: new Set() };
  readonly #lease: Lease = { grant: undefined };
  readonly #ends: Promise<void>[] = [];
  readonly #stop = new AbortController();
  readonly #backoff: Backoff;
  readonly #superseded: Connection[] = [];
  #connection: Connection | undefined;
  #listened: Listened | undefined;
  #starting: Promise<Connection> | undefined;
  #attempt = 0;
  #requests = 0;
  #lastUse: number;
  #idleTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #draining = false;
  #ended = false;
  restarts = 0;
  lastError: string | undefined;
  lastSuccess: number | undefined;

  constructor(key: string, hop: Hop, deps: ChannelDeps) {
    this.key = key;
    this.hop = hop;
    this.gate = deps.gate;
    this.#deps = deps;
    this.#backoff = new Backoff(deps.clock);
    this.#lastUse = deps.clock.monotonic();
    this.#watchIdle(deps.settings.idle);
  }

  get connection(): Connection | undefined {
    return this.#connection;
  }

  get settings(): ServerSettings {
    return this.#deps.settings;
  }

  get starting(): boolean {
    return this.#starting !== undefined;
  }

  /** Whether a call waits for its agent's answer to an ask. */
  get asking(): boolean {
    for (const passage of this.#passages) if (passage.asking > 0) return true;
    return false;
  }

  get inFlight(): number {
    return this.#passages.size;
  }

  get attachments(): readonly Attached[] {
    return this.#listeners.all();
  }

  open(exchange: Exchange, outlet: Outlet, grant: Grant | undefined): Passage {
    return new Passage(this, exchange, outlet, grant);
  }

  arrived(passage: Passage): void {
    this.#passages.add(passage);
  }

  /** Only processes are expensive enough to start that a caller has to wait for the back-off too. */
  waits(): number {
    const { settings, breaker } = this.#deps;
    const starts = settings.transport.kind === 'stdio' && this.#connection === undefined;
    const left = starts ? this.#backoff.left() : 0;
    return left > WORTH_WAITING_MS ? left : breaker.enter();
  }

  left(passage: Passage, how: Leaving): void {
    this.#passages.delete(passage);
    this.#lastUse = this.#deps.clock.monotonic();
    this.#heard(how);
    if (this.#superseded.length > 0 && this.#passages.size === 0) this.#endSuperseded();
    if (this.#draining) this.#endIfUnused();
  }

  connected(grant: Grant | undefined): Promise<Connection> {
    if (this.#connection !== undefined) return Promise.resolve(this.#connection);
    if (this.#ended) return Promise.reject(new UpstreamFault('upstream_unavailable', 'the connection was ended'));
    this.#starting ??= this.#start(grant).finally(() => this.#started());
    return this.#starting;
  }

  #heard(how: Leaving): void {
    if (how === 'answered') {
      this.#deps.breaker.succeeded();
      this.lastSuccess = this.#deps.clock.now();
    } else if (how === 'unreached') this.#deps.breaker.failed();
  }

  /** @throws UpstreamFault while calls to this server are refused without trying */
  #admit(): void {
    const wait = this.waits();
    if (wait > 0) throw this.refusal(wait);
  }

  refusal(wait: number): UpstreamFault {
    const detail = `${this.lastError ?? 'the server could not be reached'}; tried again in ${Math.ceil(wait / 1000)} s`;
    return new UpstreamFault('upstream_unavailable', detail, undefined, wait);
  }

  /** @throws UpstreamFault when not connected at `deadline` (epoch milliseconds) */
  async connectedBy(deadline: number): Promise<Connection> {
    if (this.#connection !== undefined) return this.#connection;
    if (this.#starting === undefined) this.#admit();
    const { promise, resolve, reject } = Promise.withResolvers<Connection>();
    const late = new UpstreamFault('upstream_unavailable', 'the server is not ready in time');
    const timer = setTimeout(() => reject(late), Math.max(0, deadline - this.#deps.clock.now()));
    this.connected(undefined)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
    return promise;
  }

  async request(method: string, params: JsonObject, hop: Hop, deadline: number): Promise<Doc> {
    this.#requests++;
    try {
      return await this.#request(method, params, hop, deadline);
    } finally {
      this.#requests--;
      if (this.#draining) this.#endIfUnused();
    }
  }

  async #request(method: string, params: JsonObject, hop: Hop, deadline: number): Promise<Doc> {
    if (this.#connection !== undefined) this.#admit();
    const connection = await this.connectedBy(deadline);
    this.#lease.grant = await this.#issued();
    const start = (sink: Parameters<Connection['ask']>[1]) => connection.ask({ method, params, hop }, sink);
    this.#lastUse = this.#deps.clock.monotonic();
    const drop = (call: Parameters<Connection['cancel']>[0]) => connection.cancel(call, 'deadline_passed');
    try {
      const doc = await answerTo(method, start, drop, deadline - this.#deps.clock.now());
      this.#heard('answered');
      return doc;
    } catch (error) {
      this.#heard(whatItSays(error));
      throw error;
    }
  }

  /** A notification of the gateway's own, if anybody is there to hear it. */
  tell(method: string, params: JsonObject): void {
    this.#connection?.say(method, params);
  }

  attach(exchange: Exchange, filter: ListenFilter, outlet: Outlet): Attachment {
    const attached = new Attached(this, exchange, filter, outlet);
    this.#listeners.add(attached);
    return attached.opened();
  }

  adopt(attached: Attached): void {
    attached.home = this;
    this.#listeners.add(attached);
    this.relisten().catch(() => undefined);
  }

  detach(attached: Attached): void {
    if (!this.#listeners.delete(attached)) return;
    this.#lastUse = this.#deps.clock.monotonic();
    if (this.#draining) return this.#endIfUnused();
    if (this.#connection !== undefined) this.#listen(this.#connection).catch(() => undefined);
  }

  /** Tells the server what all listeners together want; resolves with what it honours. */
  async relisten(): Promise<ListenFilter> {
    const live = this.#connection;
    if (live === undefined && this.#starting === undefined) this.#admitListening();
    return this.#listen(live ?? (await this.connected(undefined)));
  }

  #admitListening(): void {
    const wait = this.waits();
    if (wait <= 0) return;
    if (!this.#ended) this.#retryIn(wait);
    throw this.refusal(wait);
  }

  /** What is in force already, or on its way, is not asked for twice. */
  #listen(connection: Connection): Promise<ListenFilter> {
    const wanted = this.#listeners.wanted();
    const last = this.#listened;
    if (last?.connection === connection && isDeepStrictEqual(last.wanted, wanted)) return last.honoured;
    const honoured = connection.listen(wanted);
    this.#listened = { connection, wanted, honoured };
    honoured.catch(() => {
      if (this.#listened?.honoured === honoured) this.#listened = undefined;
    });
    return honoured;
  }

  /** Takes no part in anything new; ends with its last call. */
  drain(): void {
    this.#draining = true;
    this.#listeners.clear();
    this.#endIfUnused();
  }

  /** Resolves when no process, socket or timer of this channel is left. */
  async end(): Promise<void> {
    if (!this.#ended) this.#endNow();
    await this.#starting?.catch(() => undefined);
    await Promise.all(this.#ends);
  }

  #endNow(): void {
    this.#ended = true;
    this.#attempt++;
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#retryTimer);
    this.#listeners.clear();
    this.#release();
    this.#endSuperseded();
    this.#deps.ended(this.key);
    for (const passage of this.#passages) passage.abandon('the connection was ended');
    // what is still being opened is not waited for
    this.#stop.abort();
  }

  #release(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) this.#ending(connection);
  }

  #ending(connection: Connection): void {
    const end = connection.end().catch((error: Error) => {
      this.#deps.log.warn({ server: this.#deps.settings.name, error: error.message }, 'a connection did not end well');
    });
    this.#ends.push(end);
    void end.then(() => this.#ends.splice(this.#ends.indexOf(end), 1));
  }

  #endIfUnused(): void {
    if (!this.#ended && !this.#used()) this.#endNow();
  }

  #used(): boolean {
    return this.#passages.size + this.#listeners.size + this.#requests > 0 || this.starting;
  }

  #started(): void {
    this.#starting = undefined;
    if (this.#draining) this.#endIfUnused();
  }

  async #start(grant: Grant | undefined): Promise<Connection> {
    const attempt = ++this.#attempt;
    await this.#backedOff();
    if (attempt !== this.#attempt) throw new UpstreamFault('upstream_unavailable', 'the connection was ended');
    try {
      this.#lease.grant = grant ?? (await this.#issued());
      const connection = await connect(this.#plan(attempt));
      if (attempt !== this.#attempt) return await this.#tooLate(connection);
      return this.#ready(connection);
    } catch (error) {
      throw this.#failed(asFault(error), attempt);
    }
  }

  async #tooLate(connection: Connection): Promise<never> {
    await connection.end();
    throw new UpstreamFault('upstream_unavailable', 'the connection was ended');
  }

  #plan(attempt: number): Parameters<typeof connect>[0] {
    const { settings, http, era, limits, gateway, trace, log } = this.#deps;
    const { hop } = this;
    const events = this.#events(attempt);
    const milliseconds = settings.deadline;
    const lease = this.#lease;
    return {
      settings,
      http,
      hop,
      lease,
      era,
      memory: this.#memory,
      signal: this.#stop.signal,
      events,
      limits,
      gateway,
      trace,
      log,
      milliseconds,
    };
  }

  #ready(connection: Connection): Connection {
    this.#connection = connection;
    this.#backoff.began();
    this.#lastUse = this.#deps.clock.monotonic();
    this.#heard('answered');
    this.lastError = undefined;
    if (this.#listeners.size > 0) this.#listen(connection).catch(() => undefined);
    return connection;
  }

  #failed(fault: UpstreamFault, attempt: number): UpstreamFault {
    const detail = scrub(fault.message, this.#secrets());
    if (attempt === this.#attempt) {
      this.#heard(fault.reason === 'deadline_passed' ? 'unreached' : whatItSays(fault));
      this.#backOff(detail);
    }
    return new UpstreamFault(fault.reason, detail, fault.answer, fault.retryAfter);
  }

  #secrets(): readonly string[] {
    return secretsOf(this.#deps.settings, this.#lease.grant);
  }

  #events(attempt: number): ConnectionEvents {
    return {
      lost: (detail) => {
        if (attempt === this.#attempt) this.#lost(detail);
      },
      contradicted: (detail) => {
        if (attempt === this.#attempt) this.#contradicted(detail);
      },
      news: (message) => this.#news(message),
      standing: () => this.#listeners.standing(),
    };
  }

  #lost(detail: string): void {
    this.restarts++;
    this.#release();
    this.#backOff(scrub(detail, this.#secrets()));
  }

  /** Calls that are open may still be answered, so the old connection is only let go. */
  #contradicted(detail: string): void {
    const old = this.#connection;
    this.#deps.era.contradicted();
    if (old === undefined) return;
    this.#connection = undefined;
    this.lastError = detail;
    old.listen(NOTHING).catch(() => undefined);
    this.#superseded.push(old);
    if (this.#passages.size === 0) this.#endSuperseded();
    if (this.#listeners.size > 0) this.relisten().catch(() => undefined);
  }

  #endSuperseded(): void {
    for (const connection of this.#superseded.splice(0)) this.#ending(connection);
  }

  #backOff(detail: string): void {
    this.lastError = detail;
    const delay = this.#backoff.failed();
    this.#deps.log.warn({ server: this.#deps.settings.name, detail, delay }, 'connection lost');
    clearTimeout(this.#retryTimer);
    if (this.#ended || this.#listeners.size === 0) return;
    this.#retryIn(delay);
  }

  /** Somebody listens: the server is tried again without a call, when the breaker lets it. */
  #retryIn(delay: number): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => {
      if (this.#connection !== undefined || this.#ended) return;
      const wait = this.waits();
      if (wait > 0) this.#retryIn(wait);
      else this.connected(undefined).catch(() => undefined);
    }, delay);
  }

  async #backedOff(): Promise<void> {
    const wait = this.#backoff.left();
    if (this.#deps.settings.transport.kind !== 'stdio' || wait <= 0) return;
    if (wait > WORTH_WAITING_MS) throw this.refusal(wait);
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, wait);
    await promise;
  }

  /** Bounded like every other step: whoever keeps the secrets may hang. */
  async #issued(): Promise<Grant | undefined> {
    const { settings, issue } = this.#deps;
    const late = Promise.withResolvers<never>();
    const stop = () => late.reject(new Error('the credential was not issued in time'));
    const timer = setTimeout(stop, settings.deadline);
    this.#stop.signal.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([issue(settings.name, this.hop.principal), late.promise]);
    } catch (error) {
      throw new UpstreamFault('credential_unavailable', asFault(error).message);
    } finally {
      clearTimeout(timer);
      this.#stop.signal.removeEventListener('abort', stop);
    }
  }

  #watchIdle(milliseconds: number): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.#whenIdle(), Math.min(milliseconds, LONGEST_TIMER_MS)).unref();
  }

  #whenIdle(): void {
    const { idle } = this.#deps.settings;
    const left = this.#lastUse + idle - this.#deps.clock.monotonic();
    const used = this.#used();
    if (used || left > 0) this.#watchIdle(Math.max(left, used ? idle : 1));
    else this.#endIfUnused();
  }

  #news(message: Message): void {
    this.#deps.news(this.key, message.method, member(message.doc.value, 'params'));
    const deaf = this.#listeners.hear(message, this.#deps.limits);
    if (deaf === 0) return;
    const fields = { server: this.#deps.settings.name, method: message.method, listeners: deaf };
    this.#deps.log.debug(fields, 'news left out: the agent does not read');
  }
}

/** A server that answers with an error or a status is there; 503 says that it is not. Secrets that are missing say nothing of it. */
function whatItSays(error: unknown): Leaving {
  const fault = asFault(error);
  const status = fault instanceof RefusedFault ? fault.status : undefined;
  if (fault.answer !== undefined || (status !== undefined && status !== 503)) return 'answered';
  if (fault.reason === 'deadline_passed') return 'neither';
  return fault.reason === 'upstream_unavailable' && fault.retryAfter === undefined ? 'unreached' : 'neither';
}
