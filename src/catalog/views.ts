/** All views, the least recently used forgotten first. A view is keyed as the connection behind it (law 10). */
import type { Hop, ServerSettings } from '../gateway/ports.ts';
import { View, type ViewDeps } from './view.ts';

interface Held {
  readonly view: View;
  readonly server: string;
  readonly principal: string;
  readonly session: string | undefined;
}

export class Views {
  readonly #deps: ViewDeps;
  readonly #most: number;
  readonly #held = new Map<string, Held>();
  #latest: Held | undefined;
  #settings: ReadonlyMap<string, ServerSettings>;

  constructor(servers: readonly ServerSettings[], most: number, deps: ViewDeps) {
    this.#settings = byName(servers);
    this.#most = most;
    this.#deps = deps;
    deps.upstreams.onNews((server, key, method) => this.#held.get(keyOf(server, key))?.view.changed(method));
  }

  /** Configured servers, in order. */
  get servers(): readonly string[] {
    return [...this.#settings.keys()];
  }

  has(server: string): boolean {
    return this.#settings.has(server);
  }

  of(server: string, hop: Hop): View {
    const key = this.#key(server, hop);
    const known = this.#held.get(key);
    // asked for by every message: what was used last stands last already
    if (known !== undefined && known === this.#latest) return known.view;
    const held = known ?? this.#make(server, hop);
    this.#latest = held;
    this.#held.delete(key);
    this.#held.set(key, held);
    if (this.#held.size > this.#most) this.#forgetOldest();
    return held.view;
  }

  /** The view, if there is one. */
  find(server: string, hop: Hop): View | undefined {
    return this.#settings.has(server) ? this.#held.get(this.#key(server, hop))?.view : undefined;
  }

  /** Views of a session or principal that is gone. Those that others share stay. */
  forget(gone: { readonly session?: string; readonly principal?: string }): void {
    for (const [key, held] of this.#held) {
      const { isolation } = held.view.settings;
      const ofSession = gone.session !== undefined && held.session === gone.session;
      const ofPrincipal = gone.principal !== undefined && held.principal === gone.principal;
      if ((isolation === 'session' && ofSession) || (isolation !== 'shared' && ofPrincipal)) this.#held.delete(key);
    }
  }

  /** Takes changed settings over; views of changed or removed servers are forgotten. */
  reload(servers: readonly ServerSettings[]): void {
    this.#settings = byName(servers);
    for (const [key, held] of this.#held) {
      const now = this.#settings.get(held.server);
      if (JSON.stringify(now) !== JSON.stringify(held.view.settings)) this.#held.delete(key);
    }
  }

  #make(server: string, hop: Hop): Held {
    const settings = this.#settings.get(server);
    if (settings === undefined) throw new Error(`no server ${server} is configured`);
    return { view: new View(settings, this.#deps), server, principal: hop.principal.key, session: hop.session };
  }

  #key(server: string, hop: Hop): string {
    return keyOf(server, this.#deps.upstreams.key(server, hop));
  }

  #forgetOldest(): void {
    const oldest = this.#held.keys().next();
    if (!oldest.done) this.#held.delete(oldest.value);
  }
}

function keyOf(server: string, key: string): string {
  return `${server.length}:${server}${key}`;
}

function byName(servers: readonly ServerSettings[]): ReadonlyMap<string, ServerSettings> {
  return new Map(servers.map((settings) => [settings.name, settings]));
}
