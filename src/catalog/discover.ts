/** What an endpoint says of itself: server/discover from local state, initialize after a look at its servers. */
import type { JsonObject } from '../gateway/document.ts';
import type { Endpoint, Era, Exchange } from '../gateway/exchange.ts';
import type { Clock, EndpointSurface, Hop, ServerSurface } from '../gateway/ports.ts';
import { answered, resultMessage, type Answer } from './answer.ts';
import { ofAll, ofOneServer, UNSEEN } from './capabilities.ts';
import type { Keeping, Remembered } from './keeping.ts';
import { ALL_KINDS, own } from './kinds.ts';
import type { Views } from './views.ts';
import { within } from './within.ts';

export interface DiscoverDeps {
  readonly views: Views;
  readonly keeping: Pick<Keeping, 'remembered'>;
  readonly clock: Clock;
  readonly gateway: { readonly name: string; readonly version: string };
  /** Revisions that agents may speak, newest first. */
  readonly versions: readonly string[];
}

const SERVER_INFO = 'io.modelcontextprotocol/serverInfo';
const DISCOVER_TTL = 5_000;

/** Never longer than the server itself allows; a server that nobody has seen yet is asked for again. */
function ttlOf(surface: ServerSurface | undefined): number {
  if (surface === undefined) return 0;
  if (surface.era === 'legacy') return DISCOVER_TTL;
  const ttl = own(own(surface.doc.value, 'result'), 'ttlMs');
  return typeof ttl === 'number' && ttl > 0 ? ttl : 0;
}

export class Discover {
  readonly #deps: DiscoverDeps;

  constructor(deps: DiscoverDeps) {
    this.#deps = deps;
  }

  /** server/discover: never waits for a server, because clients give it half a second before they fall back. */
  answer(exchange: Exchange, servers: readonly string[]): Answer {
    const surfaces = servers.map((server) => this.#warm(server, exchange));
    const { capabilities, serverInfo, instructions } = this.#surface(exchange.endpoint, servers, exchange, 'modern');
    const result: JsonObject = { supportedVersions: [...this.#deps.versions], capabilities };
    if (instructions !== undefined) result['instructions'] = instructions;
    result['resultType'] = 'complete';
    result['ttlMs'] = Math.min(DISCOVER_TTL, ...surfaces.map(ttlOf));
    result['cacheScope'] = 'private';
    result['_meta'] = { [SERVER_INFO]: serverInfo };
    return answered(resultMessage('server/discover', [Buffer.from(JSON.stringify(result))]));
  }

  /** For initialize. Servers that do not answer in time are told of as they were last seen. */
  async surface(endpoint: Endpoint, servers: readonly string[], hop: Hop, deadline: number): Promise<EndpointSurface> {
    await Promise.all(servers.map((server) => this.#reach(server, hop, deadline)));
    return this.#surface(endpoint, servers, hop, 'legacy');
  }

  /** `_meta` that names who answers, as a JSON text. */
  identify(exchange: Exchange, servers: readonly string[]): string {
    return JSON.stringify({ [SERVER_INFO]: this.#serverInfo(exchange.endpoint, servers, exchange) });
  }

  async #reach(server: string, hop: Hop, deadline: number): Promise<void> {
    const view = this.#deps.views.of(server, hop);
    const until = Math.min(deadline, this.#deps.clock.now() + view.settings.deadline);
    const connected = view.connect(hop, until).catch(() => undefined);
    await within(connected, until - this.#deps.clock.now(), undefined);
  }

  /** The hop's own knowledge of a server; without any, its lists are read in the background. */
  #warm(server: string, hop: Hop): ServerSurface | undefined {
    const view = this.#deps.views.of(server, hop);
    if (view.surface === undefined && view.failedLately === undefined)
      for (const kind of ALL_KINDS) void view.load(kind, hop);
    return view.surface;
  }

  #surface(endpoint: Endpoint, servers: readonly string[], hop: Hop, era: Era): EndpointSurface {
    const known = servers.map((server) => ({ server, surface: this.#known(server, hop) }));
    const seen = known.flatMap(({ surface }) => surface ?? []);
    const serverInfo = this.#serverInfo(endpoint, servers, hop);
    const [only] = seen;
    if (endpoint.kind === 'server') {
      return {
        capabilities: only === undefined ? UNSEEN : ofOneServer(only, era),
        serverInfo,
        instructions: only?.instructions,
      };
    }
    const unseen = seen.length < known.length || known.length === 0 ? [{ era, capabilities: UNSEEN }] : [];
    return { capabilities: ofAll([...seen, ...unseen], era), serverInfo, instructions: merged(known) };
  }

  #serverInfo(endpoint: Endpoint, servers: readonly string[], hop: Hop): JsonObject {
    const [server] = servers;
    const said = endpoint.kind === 'server' && server !== undefined ? this.#known(server, hop)?.serverInfo : undefined;
    return said ?? { name: this.#deps.gateway.name, version: this.#deps.gateway.version };
  }

  /** What somebody else of the tenant saw is told only as far as it is no text that a server may write for one person (law 10). */
  #known(server: string, hop: Hop): Remembered | undefined {
    const view = this.#deps.views.of(server, hop);
    if (view.surface !== undefined) return view.surface;
    const remembered = this.#deps.keeping.remembered(hop.principal.tenant, server);
    if (remembered === undefined || view.settings.isolation === 'shared') return remembered;
    return { ...remembered, instructions: undefined };
  }
}

function merged(
  known: readonly { readonly server: string; readonly surface: Remembered | undefined }[],
): string | undefined {
  const texts = known.flatMap(({ server, surface }) => {
    const text = surface?.instructions;
    return text === undefined || text === '' ? [] : [`## ${server}\n\n${text}`];
  });
  return texts.length === 0 ? undefined : texts.join('\n\n');
}
