/** What one hop sees at one server: its surface and its four lists, read when somebody asks, kept while they are true. */
import type { DefinitionKind } from '../gateway/exchange.ts';
import type { Doc } from '../gateway/document.ts';
import {
  UpstreamFault,
  type Clock,
  type Hop,
  type Log,
  type ServerSettings,
  type ServerSurface,
  type Upstreams,
} from '../gateway/ports.ts';
import type { Reason } from '../gateway/reasons.ts';
import type { Keeping } from './keeping.ts';
import { ALL_KINDS, KINDS, offers } from './kinds.ts';
import { emptyListing, listingOf, type ListedFrom, type Listing } from './listing.ts';
import { everyPage, type PageLimits } from './pages.ts';

export interface Fault {
  readonly reason: Reason;
  /** For the operator. */
  readonly detail: string;
  /** Milliseconds until the server is tried again, where that is known. */
  readonly retryAfter?: number | undefined;
}

/** `fresh: false`: the server could not be asked; this is what it said last. */
export type Listed =
  | { readonly ok: true; readonly listing: Listing; readonly fresh: boolean }
  | { readonly ok: false; readonly fault: Fault };

export interface ViewDeps {
  readonly upstreams: Upstreams;
  readonly keeping: Pick<Keeping, 'offer' | 'offerSurface'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: PageLimits;
}

interface Loading {
  readonly mark: number;
  readonly promise: Promise<Listed>;
  next: Promise<Listed> | undefined;
}

/** Between two questions for a name that the list does not have. */
const ASK_AGAIN = 3_000;
/** So long a server that failed is not waited for by lists of several servers. */
const FAILED_LATELY = 2_000;
const METHOD_NOT_FOUND = -32601;

export class View {
  readonly settings: ServerSettings;
  readonly #deps: ViewDeps;
  readonly #good = new Map<DefinitionKind, { readonly listing: Listing; readonly mark: number }>();
  readonly #loading = new Map<DefinitionKind, Loading>();
  /** Grows with every piece of news: what was read under an older mark may be untrue. */
  readonly #marks = new Map<DefinitionKind, number>();
  readonly #asked = new Map<DefinitionKind, number>();
  #surface: ServerSurface | undefined;
  #failed: { readonly fault: Fault; readonly at: number } | undefined;

  constructor(settings: ServerSettings, deps: ViewDeps) {
    this.settings = settings;
    this.#deps = deps;
  }

  /** The last known one, without asking. */
  get surface(): ServerSurface | undefined {
    return this.#surface;
  }

  /** Why the server could not be asked, if that was a moment ago. */
  get failedLately(): Fault | undefined {
    const failed = this.#failed;
    return failed !== undefined && this.#since(failed.at) < FAILED_LATELY ? failed.fault : undefined;
  }

  /** The last good list, even if there was news since. */
  lastGood(kind: DefinitionKind): Listing | undefined {
    return this.#good.get(kind)?.listing;
  }

  /** The last good list, unless the server said that it changed. */
  peek(kind: DefinitionKind): Listing | undefined {
    const good = this.#good.get(kind);
    return good?.mark === this.#mark(kind) ? good.listing : undefined;
  }

  /** As `peek`, unless its time is over: lists are answered from this, calls from `peek`. */
  fresh(kind: DefinitionKind): Listing | undefined {
    const listing = this.peek(kind);
    return listing !== undefined && this.#since(listing.at) < listing.freshFor ? listing : undefined;
  }

  /** Whether a name that is not listed might be new at the server, and it was not asked a moment ago. */
  mayHaveMore(kind: DefinitionKind): boolean {
    const told = this.peek(kind)?.told ?? false;
    const asked = this.#asked.get(kind);
    return !told && (asked === undefined || this.#since(asked) >= ASK_AGAIN);
  }

  /** The list changed: what is known is untrue from now on. */
  changed(method: string): void {
    for (const kind of ALL_KINDS) if (KINDS[kind].news === method) this.#marks.set(kind, this.#mark(kind) + 1);
  }

  /** Reads the list again. Whoever asks after news never gets what was read before it. Never rejects. */
  load(kind: DefinitionKind, hop: Hop): Promise<Listed> {
    const running = this.#loading.get(kind);
    if (running === undefined) return this.#begin(kind, hop);
    if (running.mark === this.#mark(kind)) return running.promise;
    return (running.next ??= running.promise.then(() => this.load(kind, hop)));
  }

  /** @throws UpstreamFault */
  async connect(hop: Hop, deadline: number): Promise<ServerSurface> {
    const surface = await this.#deps.upstreams.surface(this.settings.name, hop, deadline);
    if (surface === this.#surface) return surface;
    // another connection: news that came between the two was heard by nobody
    if (this.#surface !== undefined) for (const kind of ALL_KINDS) this.#marks.set(kind, this.#mark(kind) + 1);
    this.#surface = surface;
    this.#deps.keeping.offerSurface(hop.principal.tenant, this.settings.name, surface);
    return surface;
  }

  #begin(kind: DefinitionKind, hop: Hop): Promise<Listed> {
    this.#asked.set(kind, this.#deps.clock.monotonic());
    const promise = this.#read(kind, hop).finally(() => this.#loading.delete(kind));
    this.#loading.set(kind, { mark: this.#mark(kind), promise, next: undefined });
    return promise;
  }

  async #read(kind: DefinitionKind, hop: Hop): Promise<Listed> {
    try {
      const deadline = this.#deps.clock.now() + this.settings.deadline;
      const surface = await this.connect(hop, deadline);
      const mark = this.#mark(kind);
      const listing = await this.#list({ ...this.#from(kind, surface) }, hop, deadline);
      this.#good.set(kind, { listing, mark });
      this.#failed = undefined;
      return { ok: true, listing, fresh: true };
    } catch (error) {
      return this.#failing(kind, error);
    }
  }

  #from(kind: DefinitionKind, surface: ServerSurface): ListedFrom {
    const { name: server, transport } = this.settings;
    return { server, kind, surface, http: transport.kind === 'http', at: this.#deps.clock.monotonic() };
  }

  async #list(from: ListedFrom, hop: Hop, deadline: number): Promise<Listing> {
    if (!offers(from.surface, from.kind)) return emptyListing(from, false);
    const leftOut = this.#warner();
    const ask = (method: string, params: Parameters<Upstreams['request']>[3]): Promise<Doc> =>
      this.#deps.upstreams.request(this.settings.name, hop, method, params, deadline);
    try {
      const pages = await everyPage(this.settings.name, from.kind, ask, this.#deps.limits, leftOut);
      this.#deps.keeping.offer(
        hop.principal.tenant,
        from.server,
        pages.flatMap((page) => page.items),
      );
      return listingOf(from, pages, leftOut);
    } catch (error) {
      // many servers know resources and no templates: that must not cost the whole server
      if (error instanceof UpstreamFault && error.answer?.code === METHOD_NOT_FOUND) return emptyListing(from, true);
      throw error;
    }
  }

  /** Each kind of complaint once a load: a hostile list must not fill the log. */
  #warner(): (detail: string) => void {
    const said = new Set<string>();
    return (detail) => {
      if (said.has(detail)) return;
      said.add(detail);
      this.#deps.log.warn({ server: this.settings.name, detail }, 'a definition is left out of the list');
    };
  }

  #failing(kind: DefinitionKind, error: unknown): Listed {
    const fault = faultOf(error);
    this.#failed = { fault, at: this.#deps.clock.monotonic() };
    this.#deps.log.warn({ server: this.settings.name, list: KINDS[kind].list, ...fault }, 'a list cannot be read');
    const listing = this.lastGood(kind);
    return listing === undefined ? { ok: false, fault } : { ok: true, listing, fresh: false };
  }

  #mark(kind: DefinitionKind): number {
    return this.#marks.get(kind) ?? 0;
  }

  #since(at: number): number {
    return this.#deps.clock.monotonic() - at;
  }
}

export function faultOf(error: unknown): Fault {
  if (error instanceof UpstreamFault)
    return { reason: error.reason, detail: error.message, retryAfter: error.retryAfter };
  return { reason: 'stage_failed', detail: error instanceof Error ? error.message : String(error) };
}
