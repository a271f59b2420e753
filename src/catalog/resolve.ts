/**
 * Which server and which exact definition a request means. Names are compared exactly: no trimming, no folding, no
 * taking apart. What is not listed, not permitted or not there gets one and the same answer.
 */
import type { Json } from '../gateway/document.ts';
import type { DefinitionKind, Endpoint, Exchange, Target } from '../gateway/exchange.ts';
import type { Clock } from '../gateway/ports.ts';
import { retryHint } from '../gateway/retry.ts';
import { deny, type Deny } from '../gateway/verdict.ts';
import type { Declared } from './definitions.ts';
import { gather, waitUntil, type Gathered } from './gather.ts';
import { own } from './kinds.ts';
import type { Listing } from './listing.ts';
import { mayBelong } from './names.ts';
import { after, type Permitted } from './permitted.ts';
import type { Views } from './views.ts';

export type OpenTask = (
  exchange: Exchange,
  handle: string,
) =>
  | { readonly server: string; readonly task: string }
  | undefined
  | Promise<{ readonly server: string; readonly task: string } | undefined>;

export interface ResolveDeps {
  readonly views: Views;
  readonly clock: Clock;
  readonly permitted: Permitted;
  readonly openTask: OpenTask;
  readonly patience: number;
}

type Resolution = Target | Deny;
type Maybe<T> = T | Promise<T>;

/** What is looked for, where, and what is said if it is not there. */
interface Search {
  readonly exchange: Exchange;
  readonly servers: readonly string[];
  readonly kinds: readonly DefinitionKind[];
  /** What of a server's list may be meant, the most exact first. */
  readonly find: (listing: Listing) => readonly Declared[];
  readonly target: (definition: Declared) => Target;
  readonly unknown: () => Resolution;
}

export class Resolver {
  readonly #deps: ResolveDeps;

  constructor(deps: ResolveDeps) {
    this.#deps = deps;
  }

  resolve(exchange: Exchange, servers: readonly string[]): Maybe<Resolution> {
    const params = own(exchange.opening.doc.value, 'params');
    switch (exchange.row.target) {
      case 'gateway':
        return { of: 'gateway' };
      case 'servers':
        return { of: 'servers', servers };
      case 'tool':
        return this.#named(exchange, servers, 'tool', own(params, 'name'), deny('tool_unknown'));
      case 'prompt':
        return this.#named(exchange, servers, 'prompt', own(params, 'name'), deny('prompt_unknown'));
      case 'resource':
        return this.#resource(exchange, servers, own(params, 'uri'));
      case 'reference':
        return this.#reference(exchange, servers, own(params, 'ref'));
      case 'task':
        return this.#task(exchange, servers, own(params, 'taskId'));
      case 'exchange':
        return exchange.target;
    }
  }

  #named(
    exchange: Exchange,
    servers: readonly string[],
    kind: DefinitionKind,
    name: Json | undefined,
    unknown: Deny,
  ): Maybe<Resolution> {
    if (typeof name !== 'string') return deny('params_invalid', { detail: 'the name is not a string' });
    const find = (listing: Listing): readonly Declared[] => present(table(exchange.endpoint, listing).get(name));
    const candidates =
      exchange.endpoint.kind === 'joint' ? servers.filter((server) => mayBelong(name, server)) : servers;
    return this.#search({
      exchange,
      servers: candidates,
      kinds: [kind],
      find,
      target: targetOf,
      unknown: () => unknown,
    });
  }

  #resource(exchange: Exchange, servers: readonly string[], uri: Json | undefined): Maybe<Resolution> {
    if (typeof uri !== 'string') return deny('params_invalid', { detail: 'the uri is not a string' });
    const find = (listing: Listing): readonly Declared[] =>
      listing.kind === 'resource' ? present(listing.byName.get(uri)) : matching(listing, uri);
    const target = (definition: Declared): Target => ({
      of: 'definition',
      server: definition.server,
      kind: 'resource',
      name: uri,
      definition,
    });
    const unknown = (): Resolution => this.#unlisted(exchange, servers, uri);
    return this.#search({ exchange, servers, kinds: ['resource', 'template'], find, target, unknown });
  }

  /** Servers may read what they do not list; behind several servers it would be a guess whom to ask. */
  #unlisted(exchange: Exchange, servers: readonly string[], uri: string): Resolution {
    const unknown = deny('resource_unknown', { data: { uri } });
    const [server] = servers;
    if (exchange.endpoint.kind !== 'server' || server === undefined) return unknown;
    const view = this.#deps.views.of(server, exchange);
    // what is listed and still was not found is hidden: it must not be had by another way
    const listed = view.lastGood('resource')?.byName.has(uri) ?? true;
    const matched =
      view
        .lastGood('template')
        ?.templates()
        .some(([template]) => template.matches(uri)) ?? true;
    if (listed || matched || view.lastGood('resource')?.offered !== true) return unknown;
    return { of: 'definition', server, kind: 'resource', name: uri, definition: undefined };
  }

  #reference(exchange: Exchange, servers: readonly string[], ref: Json | undefined): Maybe<Resolution> {
    const type = own(ref, 'type');
    const unknown = deny('reference_unknown');
    if (type === 'ref/prompt') return this.#named(exchange, servers, 'prompt', own(ref, 'name'), unknown);
    const uri = own(ref, 'uri');
    if (type !== 'ref/resource' || typeof uri !== 'string')
      return deny('params_invalid', { detail: 'the ref is of no known type' });
    const find = (listing: Listing): readonly Declared[] => present(listing.byName.get(uri));
    return this.#search({
      exchange,
      servers,
      kinds: ['template', 'resource'],
      find,
      target: targetOf,
      unknown: () => unknown,
    });
  }

  #task(exchange: Exchange, servers: readonly string[], handle: Json | undefined): Maybe<Resolution> {
    if (typeof handle !== 'string') return deny('params_invalid', { detail: 'the taskId is not a string' });
    return after(this.#deps.openTask(exchange, handle), (opened): Resolution => {
      if (opened === undefined || !servers.includes(opened.server)) return deny('task_unknown');
      return { of: 'task', server: opened.server, task: opened.task };
    });
  }

  #search(search: Search): Maybe<Resolution> {
    return after(this.#gather(search), (gathered) =>
      after(this.#pick(search, gathered), (found) => found ?? this.#searchAgain(search, gathered)),
    );
  }

  /** Once more, where a server may have something new and does not tell. */
  #searchAgain(search: Search, gathered: Gathered): Maybe<Resolution> {
    const { exchange } = search;
    const views = search.servers.map((server) => this.#deps.views.of(server, exchange));
    const loads = views.flatMap((view) =>
      search.kinds.filter((kind) => view.mayHaveMore(kind)).map((kind) => view.load(kind, exchange)),
    );
    if (loads.length === 0) return missing(search, gathered);
    return Promise.all(loads).then(async () => {
      const again = await this.#gather(search);
      return (await this.#pick(search, again)) ?? missing(search, again);
    });
  }

  #gather({ exchange, servers, kinds }: Search): Gathered | Promise<Gathered> {
    const until = waitUntil(exchange, this.#deps.clock, this.#deps.patience);
    return gather({ servers, kinds, hop: exchange, until, purpose: 'call' }, this.#deps);
  }

  /** The first that is permitted: exact names of all servers before what only matches, servers as they are configured. */
  #pick(search: Search, gathered: Gathered): Maybe<Target | undefined> {
    const found = search.kinds.flatMap((kind) =>
      gathered.listings.filter((listing) => listing.kind === kind).flatMap(search.find),
    );
    return this.#firstPermitted(search, found);
  }

  #firstPermitted(search: Search, [definition, ...others]: readonly Declared[]): Maybe<Target | undefined> {
    if (definition === undefined) return undefined;
    const permitted = this.#deps.permitted(search.exchange, definition.kind, [definition]);
    return after(permitted, ([yes]) =>
      yes === true ? search.target(definition) : this.#firstPermitted(search, others),
    );
  }
}

/** A server that could not be asked may well have it: that is another answer than "there is none". */
function missing(search: Search, gathered: Gathered): Resolution {
  const listed = new Set(gathered.listings.map(({ server }) => server));
  for (const [server, fault] of gathered.faults) {
    if (!listed.has(server))
      return deny('upstream_unavailable', {
        detail: `${server}: ${fault.reason}: ${fault.detail}`,
        ...retryHint('upstream_unavailable', fault.retryAfter),
      });
  }
  return search.unknown();
}

function targetOf(definition: Declared): Target {
  const { server, kind, name } = definition;
  return { of: 'definition', server, kind, name, definition };
}

function table(endpoint: Endpoint, listing: Listing): ReadonlyMap<string, Declared> {
  return endpoint.kind === 'joint' ? listing.exposed() : listing.byName;
}

function matching(listing: Listing, uri: string): readonly Declared[] {
  return listing.templates().flatMap(([template, definition]) => (template.matches(uri) ? [definition] : []));
}

function present<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}
