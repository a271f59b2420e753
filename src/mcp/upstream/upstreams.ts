/** How the gateway reaches MCP servers: the pool of connections, keyed by whom they belong to (law 10). */
import { isDeepStrictEqual } from 'node:util';
import type { Doc, JsonObject } from '../../gateway/document.ts';
import type { Exchange } from '../../gateway/exchange.ts';
import { UpstreamFault } from '../../gateway/ports.ts';
import type {
  Attachment,
  Flight,
  Grant,
  Hop,
  ListenFilter,
  Outlet,
  ServerSettings,
  ServerStatus,
  ServerSurface,
  Upstreams,
} from '../../gateway/ports.ts';
import { NOTHING } from './connection.ts';
import { keyOf } from './key.ts';
import { serverMeant } from '../../gateway/target.ts';
import { Server } from './server.ts';
import type { UpstreamDeps } from './server.ts';

export type { UpstreamDeps } from './server.ts';

type NewsListener = Parameters<Upstreams['onNews']>[0];

/** Nothing is connected until somebody needs it. */
export function openUpstreams(servers: readonly ServerSettings[], deps: UpstreamDeps): Upstreams {
  return new Pool(servers, deps);
}

class Pool implements Upstreams {
  readonly #deps: UpstreamDeps;
  readonly #servers = new Map<string, Server>();
  readonly #listeners: NewsListener[] = [];
  readonly #leaving = new Set<Server>();

  constructor(servers: readonly ServerSettings[], deps: UpstreamDeps) {
    this.#deps = deps;
    for (const settings of servers) this.#servers.set(settings.name, this.#server(settings));
  }

  key(server: string, hop: Hop): string {
    const known = this.#servers.get(server);
    return keyOf(server, known?.settings.isolation ?? 'session', hop, known?.modern === true);
  }

  open(exchange: Exchange, outlet: Outlet, grant: Grant | undefined): Flight {
    const name = serverMeant(exchange);
    const server = name === undefined ? undefined : this.#servers.get(name);
    if (name !== undefined && server !== undefined) {
      return server.forCall(this.key(name, exchange), exchange).open(exchange, outlet, grant).flight();
    }
    outlet.fail('upstream_unavailable', name === undefined ? 'the exchange means no single server' : 'no such server');
    return { cancel: () => undefined };
  }

  async surface(server: string, hop: Hop, deadline: number): Promise<ServerSurface> {
    return (await this.#channel(server, hop).connectedBy(deadline)).surface;
  }

  async request(server: string, hop: Hop, method: string, params: JsonObject, deadline: number): Promise<Doc> {
    return this.#channel(server, hop).request(method, params, hop, deadline);
  }

  notify(server: string, hop: Hop, method: string, params: JsonObject): void {
    const known = this.#servers.get(server);
    known?.open(this.key(server, hop))?.tell(method, params);
  }

  attach(server: string, listen: Exchange, filter: ListenFilter, outlet: Outlet): Attachment {
    if (!this.#servers.has(server)) {
      return { honoured: Promise.resolve(NOTHING), update: () => undefined, close: () => undefined };
    }
    return this.#channel(server, listen).attach(listen, filter, outlet);
  }

  onNews(listener: NewsListener): void {
    this.#listeners.push(listener);
  }

  forget(hop: { readonly session?: string; readonly principal?: string }): void {
    for (const server of this.#servers.values()) server.forget(hop);
  }

  status(): readonly ServerStatus[] {
    return [...this.#servers.values()].map((server) => server.status());
  }

  reload(servers: readonly ServerSettings[]): Promise<void> {
    const wanted = new Map(servers.map((settings) => [settings.name, settings]));
    const before = new Map(this.#servers);
    this.#servers.clear();
    for (const [name, settings] of wanted) {
      const old = before.get(name);
      this.#servers.set(
        name,
        old !== undefined && isDeepStrictEqual(old.settings, settings) ? old : this.#server(settings),
      );
    }
    for (const [name, old] of before) if (this.#servers.get(name) !== old) this.#leave(old, this.#servers.get(name));
    return Promise.resolve();
  }

  async close(): Promise<void> {
    const all = [...this.#servers.values(), ...this.#leaving];
    this.#servers.clear();
    await Promise.all(all.map((server) => server.close()));
  }

  /** Listeners of a changed server go on listening to it; those of a removed one hear nothing any more. */
  #leave(old: Server, next: Server | undefined): void {
    const { name } = old.settings;
    for (const attached of next === undefined ? [] : old.attachments()) {
      next?.channel(this.key(name, attached.exchange), attached.exchange).adopt(attached);
    }
    this.#leaving.add(old);
    void old.drain().then(() => this.#leaving.delete(old));
  }

  #channel(name: string, hop: Hop): ReturnType<Server['channel']> {
    const server = this.#servers.get(name);
    if (server === undefined) throw new UpstreamFault('server_unknown', 'no such server');
    return server.channel(this.key(name, hop), hop);
  }

  #server(settings: ServerSettings): Server {
    return new Server(settings, this.#deps, (key, method, params) => {
      for (const listener of this.#listeners) listener(settings.name, key, method, params);
    });
  }
}
