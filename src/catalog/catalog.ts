/** The catalog: which servers there are, what they declare, what an agent sees of it, and what a request means. */
import type { Health } from '../gateway/component.ts';
import type { Definition, DefinitionKind, Endpoint, Exchange } from '../gateway/exchange.ts';
import type { Catalog, Clock, Flight, Hop, Log, Outlet, ServerSettings, Upstreams } from '../gateway/ports.ts';
import { serversInReach } from '../gateway/reach.ts';
import { deny } from '../gateway/verdict.ts';
import { failed, tell, type Answer } from './answer.ts';
import { Discover } from './discover.ts';
import { Keeping, type DefinitionStore, type StoredDefinition } from './keeping.ts';
import { kindListedBy } from './kinds.ts';
import { Lists, nameAt } from './lists.ts';
import { Merge } from './merge.ts';
import { everything, type Permitted } from './permitted.ts';
import { Resolver, type OpenTask } from './resolve.ts';
import type { SealTask } from './tasks.ts';
import { Views } from './views.ts';

export interface CatalogLimits {
  /** Pages, and definitions, of one list of one server. */
  readonly pages: number;
  readonly items: number;
  /** Views that are kept at once. */
  readonly views: number;
  /** Milliseconds that the joint endpoint waits for a slow server before it answers without it. */
  readonly patience: number;
}

export const LIMITS: CatalogLimits = { pages: 1_000, items: 20_000, views: 1_024, patience: 15_000 };

export interface CatalogDeps {
  readonly servers: readonly ServerSettings[];
  readonly upstreams: Upstreams;
  readonly store: DefinitionStore;
  /** Whose stored surfaces are read at the start. */
  readonly tenant: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly gateway: { readonly name: string; readonly version: string };
  /** Revisions that agents may speak, newest first: server/discover lists them. */
  readonly versions: readonly string[];
  readonly openTask: OpenTask;
  readonly sealTask: SealTask;
  /** Absent: nothing is hidden. */
  readonly permitted?: Permitted;
  readonly limits?: Partial<CatalogLimits>;
}

/** For status and explain. Times in milliseconds since the epoch. */
export interface InventoryServer {
  readonly server: string;
  readonly definitions: readonly Pick<
    StoredDefinition,
    'kind' | 'name' | 'digest' | 'ordinal' | 'firstSeen' | 'lastSeen'
  >[];
}

export interface OpenedCatalog extends Catalog {
  /** Everything that servers ever declared to this tenant, in its current version. Rejects when the store does. */
  inventory(tenant: string): Promise<readonly InventoryServer[]>;
  /** Views of a session or principal that is gone. */
  forget(gone: { readonly session?: string; readonly principal?: string }): void;
  reload(servers: readonly ServerSettings[]): void;
  health(): Health;
}

export async function openCatalog(deps: CatalogDeps): Promise<OpenedCatalog> {
  const keeping = new Keeping(deps.store, deps);
  const names = deps.servers.map(({ name }) => name);
  await keeping.recall(deps.tenant, names);
  return new LiveCatalog(deps, keeping);
}

class LiveCatalog implements OpenedCatalog {
  readonly #keeping: Keeping;
  readonly #views: Views;
  readonly #lists: Lists;
  readonly #discover: Discover;
  readonly #resolver: Resolver;
  readonly #merge: Merge;
  readonly #log: Log;

  constructor(deps: CatalogDeps, keeping: Keeping) {
    const { clock, log, upstreams, gateway, versions, openTask, sealTask } = deps;
    const limits = { ...LIMITS, ...deps.limits };
    const permitted = deps.permitted ?? everything;
    const views = new Views(deps.servers, limits.views, { upstreams, keeping, clock, log, limits });
    const identify = (exchange: Exchange): string => this.#discover.identify(exchange, this.#within(exchange) ?? []);
    this.#log = log;
    this.#keeping = keeping;
    this.#views = views;
    this.#discover = new Discover({ views, keeping, clock, gateway, versions });
    this.#lists = new Lists({ views, clock, permitted, patience: limits.patience, identify });
    this.#resolver = new Resolver({ views, clock, permitted, openTask, patience: limits.patience });
    this.#merge = new Merge({ views, upstreams, clock, log, sealTask });
  }

  servers(endpoint: Endpoint): readonly string[] | undefined {
    if (endpoint.kind === 'joint') return this.#views.servers;
    return this.#views.has(endpoint.server) ? [endpoint.server] : undefined;
  }

  /** Servers out of a caller's reach do not exist for it: no list, no name, no instructions of them. */
  #within({ endpoint, principal }: Pick<Exchange, 'endpoint' | 'principal'>): readonly string[] | undefined {
    const servers = this.servers(endpoint);
    return servers && serversInReach(principal, servers);
  }

  resolve(exchange: Exchange): ReturnType<Catalog['resolve']> {
    const servers = this.#within(exchange);
    return servers === undefined ? deny('server_unknown') : this.#resolver.resolve(exchange, servers);
  }

  exposed(endpoint: Endpoint, server: string, kind: DefinitionKind, name: string): string {
    return nameAt(endpoint, { server, kind, name });
  }

  known(server: string, hop: Hop, kind: DefinitionKind, name: string): Definition | undefined {
    return this.#views.find(server, hop)?.lastGood(kind)?.byName.get(name);
  }

  surface(endpoint: Endpoint, hop: Hop, deadline: number): ReturnType<Catalog['surface']> {
    return this.#discover.surface(endpoint, this.#within({ endpoint, principal: hop.principal }) ?? [], hop, deadline);
  }

  open(exchange: Exchange, outlet: Outlet): Flight {
    let cancelled = false;
    const told = this.#answer(exchange).then((answer) => {
      if (answer !== undefined && !cancelled) tell(outlet, answer);
    });
    told.catch((error: unknown) =>
      this.#log.error({ detail: String(error) }, 'an answer of the catalog was not taken'),
    );
    return { cancel: () => void (cancelled = true) };
  }

  async inventory(tenant: string): Promise<readonly InventoryServer[]> {
    return Promise.all(
      this.#views.servers.map(async (server) => ({ server, definitions: await this.#keeping.stored(tenant, server) })),
    );
  }

  forget(gone: { readonly session?: string; readonly principal?: string }): void {
    this.#views.forget(gone);
  }

  reload(servers: readonly ServerSettings[]): void {
    this.#views.reload(servers);
  }

  health(): Health {
    return this.#keeping.health();
  }

  async close(): Promise<void> {
    await this.#keeping.settle();
  }

  async #answer(exchange: Exchange): Promise<Answer | undefined> {
    try {
      const servers = this.#within(exchange);
      if (servers === undefined) return failed('server_unknown', 'the server is no longer configured');
      const kind = kindListedBy(exchange.row.method);
      if (kind !== undefined) return await this.#lists.answer(exchange, kind, servers);
      if (exchange.row.method === 'server/discover') return this.#discover.answer(exchange, servers);
      return await this.#merge.answer(exchange, servers);
    } catch (error) {
      return failed('stage_failed', error instanceof Error ? error.message : String(error));
    }
  }
}
