/**
 * Legacy sessions. A session is what `initialize` agreed on, with its streams and what it listens to. Its id is sealed for
 * one principal and one endpoint: in anybody else's hands it names nothing (threat: session hijacking).
 */
import type { Endpoint, Exchange, Message } from '../../gateway/exchange.ts';
import { isObject } from '../../gateway/document.ts';
import type { JsonObject } from '../../gateway/document.ts';
import type { Keyring } from '../../gateway/keyring.ts';
import type {
  Attachment,
  Catalog,
  Clock,
  CancelWhy,
  Core,
  ListenFilter,
  Session,
  Sessions,
  Standing,
  Upstreams,
} from '../../gateway/ports.ts';
import type { Principal } from '../../gateway/principal.ts';
import { serversInReach } from '../../gateway/reach.ts';
import { newId } from '../../lib/ids.ts';
import { Lru } from '../../lib/lru.ts';
import { EVENT_STORE, EventStore } from './event-store.ts';
import type { EventStoreSettings } from './event-store.ts';
import { StandingReply } from './legacy-reply.ts';
import type { SessionRoom } from './legacy-reply.ts';

export interface SessionSettings {
  /** Milliseconds without a message and without an open stream after which a session ends. */
  readonly idle: number;
  /** The longest life of a session in milliseconds, however busy. */
  readonly life: number;
  /** Live sessions of one principal; a new one ends the one that was idle longest. */
  readonly perPrincipal: number;
  readonly events: EventStoreSettings;
}

export const SESSIONS: SessionSettings = {
  idle: 30 * 60_000,
  life: 7 * 86_400_000,
  perPrincipal: 64,
  events: EVENT_STORE,
};

export interface SessionDeps {
  /** Asked late: the core is made with the sessions. */
  readonly core: () => Core;
  readonly catalog: Pick<Catalog, 'servers'>;
  readonly upstreams: Pick<Upstreams, 'attach' | 'forget'>;
  readonly keyring: Pick<Keyring, 'seal' | 'open'>;
  readonly clock: Clock;
}

interface Live extends Session {
  principal: Principal;
  readonly token: string;
  readonly expires: number;
  readonly store: EventStore;
  readonly attachments: Map<string, Attachment>;
  readonly subscriptions: Map<string, Set<string>>;
  readonly openedBy: string;
  standing: Standing | undefined;
  used: number;
}

const PURPOSE = 'legacy-session';

export class LegacySessions implements Sessions, SessionRoom {
  readonly #deps: SessionDeps;
  readonly #settings: SessionSettings;
  readonly #live = new Map<string, Live>();
  readonly #byInitialize = new Map<string, Live>();
  /** Opened tokens; a token never changes its meaning. */
  readonly #ids = new Lru<string, string>(4096);
  readonly #sweep: NodeJS.Timeout;

  constructor(deps: SessionDeps, settings: SessionSettings = SESSIONS) {
    this.#deps = deps;
    this.#settings = settings;
    this.#sweep = setInterval(() => this.endIdle(), Math.min(settings.idle, 60_000)).unref();
  }

  get size(): number {
    return this.#live.size;
  }

  find(token: string, principal: Principal, endpoint: Endpoint): Session | undefined {
    const live = this.#live.get(this.#open(token, principal, endpoint) ?? '');
    if (live === undefined || live.principal.key !== principal.key || !same(live.endpoint, endpoint)) return undefined;
    if (this.#expired(live)) {
      this.end(live.id);
      return undefined;
    }
    live.used = this.#deps.clock.now();
    if (live.principal !== principal) this.#renew(live, principal);
    return live;
  }

  level(session: string): string | undefined {
    return this.#live.get(session)?.logLevel;
  }

  /** The session that an `initialize` agreed on; its id is ready to be handed out. */
  begin(initialize: Exchange, id: string): Session {
    this.#makeRoom(initialize.principal);
    const { clock, keyring } = this.#deps;
    const { principal, endpoint, version, caps, clientInfo } = initialize;
    const expires = clock.now() + this.#settings.life;
    const live: Live = {
      id,
      version,
      endpoint,
      caps,
      clientInfo,
      logLevel: undefined,
      principal,
      expires,
      token: keyring.seal(PURPOSE, { expires, id }, binding(principal, endpoint)),
      store: new EventStore(version, clock, this.#settings.events),
      attachments: new Map(),
      subscriptions: new Map(),
      openedBy: initialize.id,
      standing: undefined,
      used: clock.now(),
    };
    this.#live.set(id, live);
    this.#byInitialize.set(initialize.id, live);
    return live;
  }

  /** News of all servers of the endpoint reach the session from now on, through its standing exchange. */
  listen(session: string, initialize: Exchange): void {
    const live = this.#live.get(session);
    if (live === undefined) return;
    const reply = new StandingReply(live.store, () => this.end(session));
    const standing = this.#deps.core().stand(initialize, session, reply);
    live.standing = standing;
    const behind = this.#deps.catalog.servers(live.endpoint) ?? [];
    for (const server of serversInReach(live.principal, behind)) {
      const attachment = this.#deps.upstreams.attach(server, standing.exchange, filter([]), standing.outlet);
      // a server that cannot be reached now is listened to when it comes: the attachment outlives the attempt
      attachment.honoured.catch(() => undefined);
      live.attachments.set(server, attachment);
    }
  }

  /** `resources/subscribe` was answered well: updates of this URI pass from now on. */
  subscribed(session: string, server: string, uri: string): void {
    this.#resubscribe(session, server, (uris) => uris.add(uri));
  }

  unsubscribed(session: string, server: string, uri: string): void {
    this.#resubscribe(session, server, (uris) => uris.delete(uri));
  }

  end(session: string, why: CancelWhy = 'session_ended'): void {
    const live = this.#live.get(session);
    if (live === undefined) return;
    this.#live.delete(session);
    this.#byInitialize.delete(live.openedBy);
    this.#ids.delete(live.token);
    for (const attachment of live.attachments.values()) attachment.close();
    live.standing?.end(why);
    this.#deps.core().endSession(session, why);
    live.store.close();
    this.#deps.upstreams.forget({ session });
  }

  expel(gone: (principal: Principal) => boolean, why: CancelWhy): void {
    for (const live of Array.from(this.#live.values())) if (gone(live.principal)) this.end(live.id, why);
  }

  /** For the sweep, and for tests that own the clock. */
  endIdle(): void {
    for (const live of this.#live.values()) if (this.#expired(live)) this.end(live.id);
  }

  /** The gateway stops: nobody hears news any more, but calls under way find their session until they are answered. */
  close(): void {
    clearInterval(this.#sweep);
    for (const live of this.#live.values()) {
      for (const attachment of live.attachments.values()) attachment.close();
      live.standing?.end('draining');
      live.store.standing.finish();
    }
  }

  // ---- what replies need ------------------------------------------------------------------------------------

  tokenOf(initialize: Exchange): string | undefined {
    return this.#byInitialize.get(initialize.id)?.token;
  }

  store(session: string): EventStore | undefined {
    return this.#live.get(session)?.store;
  }

  storeOfToken(token: string): EventStore | undefined {
    return this.store(this.#ids.get(token) ?? '');
  }

  closed(exchange: Exchange, message: Message): void {
    const { row, session, target } = exchange;
    if (message.payload === 'error') return this.failed(exchange);
    if (row.method === 'logging/setLevel') this.#levelSet(exchange);
    if (session === undefined || target.of !== 'definition') return;
    const uri = uriOf(exchange);
    if (uri === undefined) return;
    if (row.method === 'resources/subscribe') this.subscribed(session, target.server, uri);
    if (row.method === 'resources/unsubscribe') this.unsubscribed(session, target.server, uri);
  }

  /** An `initialize` that was not answered leaves nothing behind. */
  failed(exchange: Exchange): void {
    const live = this.#byInitialize.get(exchange.id);
    if (live !== undefined) this.end(live.id);
  }

  #levelSet({ session, opening }: Exchange): void {
    const live = this.#live.get(session ?? '');
    const params = isObject(opening.doc.value) ? opening.doc.value['params'] : undefined;
    const level = isObject(params) ? params['level'] : undefined;
    if (live !== undefined && typeof level === 'string') live.logLevel = level;
  }

  // ---- inside -----------------------------------------------------------------------------------------------

  #open(token: string, principal: Principal, endpoint: Endpoint): string | undefined {
    const known = this.#ids.get(token);
    if (known !== undefined) return known;
    const opened = this.#deps.keyring.open(PURPOSE, token, binding(principal, endpoint));
    const id = opened.ok ? opened.claims['id'] : undefined;
    if (typeof id !== 'string') return undefined;
    this.#ids.set(token, id);
    return id;
  }

  /** Every message brings its own proof; the news of the session go on as long as the latest one counts. */
  #renew(live: Live, principal: Principal): void {
    live.principal = principal;
    live.standing?.renew(principal);
  }

  #expired(live: Live): boolean {
    const now = this.#deps.clock.now();
    if (now >= live.expires) return true;
    return now - live.used >= this.#settings.idle && !live.store.standing.attached;
  }

  #makeRoom(principal: Principal): void {
    const own = [...this.#live.values()].filter((live) => live.principal.key === principal.key);
    if (own.length < this.#settings.perPrincipal) return;
    const idlest = own.reduce((a, b) => (b.used < a.used ? b : a));
    this.end(idlest.id);
  }

  #resubscribe(session: string, server: string, change: (uris: Set<string>) => void): void {
    const live = this.#live.get(session);
    if (live === undefined) return;
    const uris = live.subscriptions.get(server) ?? new Set<string>();
    live.subscriptions.set(server, uris);
    change(uris);
    live.attachments.get(server)?.update(filter([...uris]));
  }
}

export function newSessionId(clock: Clock): string {
  return newId(clock);
}

function filter(resourceSubscriptions: readonly string[]): ListenFilter {
  return {
    toolsListChanged: true,
    promptsListChanged: true,
    resourcesListChanged: true,
    resourceSubscriptions,
    taskIds: [],
  };
}

function binding(principal: Principal, endpoint: Endpoint): string[] {
  return [principal.key, ...endpointParts(endpoint)];
}

function endpointParts(endpoint: Endpoint): string[] {
  return endpoint.kind === 'joint' ? ['joint'] : ['server', endpoint.server];
}

function same(one: Endpoint, other: Endpoint): boolean {
  return endpointParts(one).join(' ') === endpointParts(other).join(' ');
}

function uriOf({ opening }: Exchange): string | undefined {
  const params = (opening.doc.value as JsonObject)['params'] as JsonObject | undefined;
  const uri = params?.['uri'];
  return typeof uri === 'string' ? uri : undefined;
}
