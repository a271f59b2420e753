/**
 * tools/list, prompts/list, resources/list, resources/templates/list: one list without cursors, of the definitions' own
 * bytes with nothing but the exposed name put in.
 */
import type { DefinitionKind, Endpoint, Exchange, Message } from '../gateway/exchange.ts';
import type { Clock } from '../gateway/ports.ts';
import { Lru } from '../lib/lru.ts';
import { answered, failed, methodUnknown, resultMessage, type Answer } from './answer.ts';
import type { Declared } from './definitions.ts';
import { gather, waitUntil, type Gathered } from './gather.ts';
import { KINDS, own } from './kinds.ts';
import type { Listing } from './listing.ts';
import { exposedName } from './names.ts';
import { after, type Permitted } from './permitted.ts';
import type { Views } from './views.ts';

export interface ListsDeps {
  readonly views: Views;
  readonly clock: Clock;
  readonly permitted: Permitted;
  /** How long a joint list waits for a slow server, in milliseconds. */
  readonly patience: number;
  /** Who answers on an endpoint, for `_meta` of modern results. */
  identify(exchange: Exchange): string;
}

interface Composed {
  readonly listings: readonly Listing[];
  readonly message: Message;
}

/** A list with a server missing is asked for again soon. */
const PARTIAL_TTL = 1_000;
const MOST_COMPOSED = 32;

export class Lists {
  readonly #deps: ListsDeps;
  readonly #composed = new Lru<string, Composed>(MOST_COMPOSED);

  constructor(deps: ListsDeps) {
    this.#deps = deps;
  }

  answer(exchange: Exchange, kind: DefinitionKind, servers: readonly string[]): Answer | Promise<Answer> {
    if (hasCursor(exchange)) return failed('cursor_invalid', 'lists are handed out whole, so every cursor is foreign');
    const until = waitUntil(exchange, this.#deps.clock, this.#deps.patience);
    const question = { servers, kinds: [kind], hop: exchange, until, purpose: 'list' } as const;
    return after(gather(question, this.#deps), (gathered) => this.#show(exchange, kind, gathered));
  }

  #show(exchange: Exchange, kind: DefinitionKind, gathered: Gathered): Answer | Promise<Answer> {
    const { listings, faults } = gathered;
    const [fault] = faults.values();
    if (listings.length === 0 && fault !== undefined)
      return failed('upstream_unavailable', `${fault.reason}: ${fault.detail}`, fault.retryAfter);
    if (faults.size === 0 && listings.length > 0 && !listings.some((listing) => listing.offered))
      return methodUnknown(exchange);
    const judged = listings.map((listing) => this.#deps.permitted(exchange, kind, listing.items));
    const marks = judged.some((one) => one instanceof Promise)
      ? Promise.all(judged.map(async (one) => one))
      : (judged as (readonly boolean[])[]);
    return after(marks, (permitted) => answered(this.#compose(exchange, kind, gathered, permitted)));
  }

  #compose(
    exchange: Exchange,
    kind: DefinitionKind,
    gathered: Gathered,
    permitted: readonly (readonly boolean[])[],
  ): Message {
    const { listings, faults } = gathered;
    const shown = permitted.map(bits).join(' ');
    // callers who see the same definitions of the same views share the bytes: nothing else goes into them
    const ages = listings.map(({ at }) => at);
    const key = JSON.stringify([exchange.endpoint, exchange.era, kind, faults.size > 0, ages, shown]);
    const known = this.#composed.get(key);
    if (known !== undefined && sameListings(known.listings, listings)) return known.message;
    const items = listings.flatMap((listing, index) =>
      listing.items.filter((_item, at) => permitted[index]?.[at] === true),
    );
    const message = resultMessage(KINDS[kind].list, this.#result(exchange, kind, gathered, items));
    this.#composed.set(key, { listings, message });
    return message;
  }

  #result(exchange: Exchange, kind: DefinitionKind, gathered: Gathered, items: readonly Declared[]): Buffer[] {
    const { listings, faults } = gathered;
    const single = exchange.endpoint.kind === 'server' ? listings[0] : undefined;
    const pieces = [
      Buffer.from(`{${JSON.stringify(KINDS[kind].member)}:[`),
      ...bodies(items, exchange.endpoint),
      Buffer.from(']'),
    ];
    pieces.push(Buffer.from(single?.extras ?? ''));
    if (exchange.era === 'modern') pieces.push(Buffer.from(this.#hints(exchange, listings, faults.size > 0, single)));
    return [...pieces, Buffer.from('}')];
  }

  /** Always private: what one principal may see says nothing about another (2026-07-28 server/utilities/caching). */
  #hints(exchange: Exchange, listings: readonly Listing[], partial: boolean, single: Listing | undefined): string {
    const ttls = listings.map((listing) => listing.ttl);
    const ttl = listings.length === 0 ? 0 : Math.min(...ttls, ...(partial ? [PARTIAL_TTL] : []));
    const meta = single?.hasMeta === true ? '' : `,"_meta":${this.#deps.identify(exchange)}`;
    return `,"resultType":"complete","ttlMs":${ttl},"cacheScope":"private"${meta}`;
  }
}

/** Each name or URI once: the server that is configured first owns it, here as when it is called. */
function bodies(items: readonly Declared[], endpoint: Endpoint): Buffer[] {
  const pieces: Buffer[] = [];
  const taken = new Set<string>();
  for (const item of items) {
    const name = nameAt(endpoint, item);
    if (taken.has(name)) continue;
    if (taken.size > 0) pieces.push(COMMA);
    taken.add(name);
    if (name === item.name) pieces.push(item.body);
    else
      pieces.push(
        item.body.subarray(0, item.nameAt.start),
        Buffer.from(JSON.stringify(name)),
        item.body.subarray(item.nameAt.end),
      );
  }
  return pieces;
}

const COMMA = Buffer.from(',');

/** Only tools and prompts are renamed, and only where servers are joined. */
export function nameAt(endpoint: Endpoint, { server, kind, name }: Pick<Declared, 'server' | 'kind' | 'name'>): string {
  const renamed = endpoint.kind === 'joint' && (kind === 'tool' || kind === 'prompt');
  return renamed ? exposedName(server, name) : name;
}

/** Some clients write `null` for "none". */
export function hasCursor(exchange: Exchange): boolean {
  return (own(own(exchange.opening.doc.value, 'params'), 'cursor') ?? null) !== null;
}

function bits(permitted: readonly boolean[]): string {
  return permitted.map((one) => (one === true ? '1' : '0')).join('');
}

function sameListings(one: readonly Listing[], other: readonly Listing[]): boolean {
  return one.length === other.length && one.every((listing, index) => listing === other[index]);
}
