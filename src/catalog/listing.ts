/** One list of one server, as it was when it was last read: never changed afterwards, so its identity is its version. */
import { isObject, type Doc, type Path } from '../gateway/document.ts';
import type { DefinitionKind } from '../gateway/exchange.ts';
import type { ServerSurface } from '../gateway/ports.ts';
import { checkParamHeaders } from '../mcp/codec/headers.ts';
import type { Declared, LeftOut, Page } from './definitions.ts';
import { KINDS, own, tellsChanges } from './kinds.ts';
import { exposedName } from './names.ts';
import { uriTemplate, type UriTemplate } from './template.ts';

export interface Listing {
  readonly server: string;
  readonly kind: DefinitionKind;
  /** False when the server has no such capability; the list is empty then. */
  readonly offered: boolean;
  /** Each name once, in the server's order. */
  readonly items: readonly Declared[];
  readonly byName: ReadonlyMap<string, Declared>;
  /** By the name that the joint endpoint shows; made at the first question. */
  exposed(): ReadonlyMap<string, Declared>;
  /** Templates that can be matched, made at the first question; empty for other kinds. */
  templates(): readonly (readonly [UriTemplate, Declared])[];
  /** Members of a one-page result that the gateway does not know, as JSON texts with names; empty otherwise. */
  readonly extras: string;
  /** Whether `extras` hold a `_meta`. */
  readonly hasMeta: boolean;
  /** How long an agent may keep the list, and how long the gateway does, in milliseconds. */
  readonly ttl: number;
  readonly freshFor: number;
  /** Monotonic milliseconds. */
  readonly at: number;
  /** Whether the server tells when the list changes, so that asking again for an unknown name is of no use. */
  readonly told: boolean;
}

/** A legacy list has no `ttlMs`. */
const LEGACY_TTL = 5_000;
const LONGEST_FRESH = 300_000;
const MOST_TEMPLATES = 1_000;

/** Written by the gateway, or true of one page only. */
const OURS = new Set(['nextCursor', 'ttlMs', 'cacheScope', 'resultType']);

export interface ListedFrom {
  readonly server: string;
  readonly kind: DefinitionKind;
  readonly surface: ServerSurface;
  /** Over HTTP, tools whose `x-mcp-header` annotations are invalid must not be offered (2026-07-28 transports). */
  readonly http: boolean;
  readonly at: number;
}

export function emptyListing(from: ListedFrom, offered: boolean): Listing {
  return { ...listingOf(from, [], () => undefined), offered };
}

export function listingOf(from: ListedFrom, pages: readonly Page[], leftOut: LeftOut): Listing {
  const { server, kind, surface, at } = from;
  const byName = namedOnce(from, pages, leftOut);
  const items = [...byName.values()];
  const { extras, hasMeta } = extrasOf(pages, KINDS[kind].member);
  return {
    server,
    kind,
    offered: true,
    items,
    byName,
    // should two names ever meet, the first counts, as in the list
    exposed: once(() => new Map(items.toReversed().map((item) => [exposedName(server, item.name), item]))),
    templates: once(() => (kind === 'template' ? templatesOf(items) : [])),
    extras,
    hasMeta,
    ...lifetimes(surface, kind, pages),
    at,
    told: surface.era === 'legacy' && tellsChanges(surface, kind),
  };
}

// a name that stands twice is ambiguous: what was pinned must be what is called, so only the first counts
function namedOnce(from: ListedFrom, pages: readonly Page[], leftOut: LeftOut): Map<string, Declared> {
  const found = new Map<string, Declared>();
  for (const item of pages.flatMap((page) => page.items)) {
    if (found.has(item.name)) leftOut(`a second ${item.kind} with the name of another`);
    else if (!mirrorable(from, item)) leftOut('a tool with invalid x-mcp-header annotations');
    else found.set(item.name, item);
  }
  return found;
}

function mirrorable({ http, surface, kind }: ListedFrom, item: Declared): boolean {
  if (!http || surface.era !== 'modern' || kind !== 'tool') return true;
  return checkParamHeaders(own(item.value, 'inputSchema')).ok;
}

/**
 * The lifetime that a server names is shared between gateway and agent, half and half: together nobody is shown a list
 * that is older than the server allows. With several pages the shortest counts.
 */
function lifetimes(
  surface: ServerSurface,
  kind: DefinitionKind,
  pages: readonly Page[],
): Pick<Listing, 'ttl' | 'freshFor'> {
  if (surface.era === 'legacy') {
    return { ttl: LEGACY_TTL, freshFor: tellsChanges(surface, kind) ? LONGEST_FRESH : LEGACY_TTL };
  }
  const half = Math.floor(Math.min(2 * LONGEST_FRESH, ...pages.map(ttlOf)) / 2);
  return { ttl: half, freshFor: half };
}

function ttlOf(page: Page): number {
  const ttl = own(page.result, 'ttlMs');
  return typeof ttl === 'number' && ttl > 0 ? ttl : 0;
}

function extrasOf(pages: readonly Page[], member: string): Pick<Listing, 'extras' | 'hasMeta'> {
  const [page] = pages;
  if (page === undefined || pages.length > 1 || !isObject(page.result)) return { extras: '', hasMeta: false };
  const names = Object.keys(page.result).filter((name) => name !== member && !OURS.has(name));
  const extras = names.map((name) => memberText(page.doc, page.at, name)).join('');
  return { extras, hasMeta: names.includes('_meta') };
}

function memberText(doc: Doc, at: Path, name: string): string {
  const raw = doc.raw([...at, name]);
  return raw === undefined ? '' : `,${JSON.stringify(name)}:${raw}`;
}

function templatesOf(items: readonly Declared[]): (readonly [UriTemplate, Declared])[] {
  const found: (readonly [UriTemplate, Declared])[] = [];
  for (const item of items.slice(0, MOST_TEMPLATES)) {
    const template = uriTemplate(item.name);
    if (template !== undefined) found.push([template, item]);
  }
  return found;
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
