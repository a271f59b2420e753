/** Every page of a list, or a clear error: a gateway that loses a page hides tools, and policy with them. */
import type { DefinitionKind } from '../gateway/exchange.ts';
import type { Doc, JsonObject } from '../gateway/document.ts';
import { UpstreamFault } from '../gateway/ports.ts';
import { readPage, type LeftOut, type Page } from './definitions.ts';
import { KINDS } from './kinds.ts';

export interface PageLimits {
  readonly pages: number;
  readonly items: number;
}

/** One page: asks the server with these params. */
export type AskPage = (method: string, params: JsonObject) => Promise<Doc>;

/**
 * @throws UpstreamFault: that of the server; `upstream_garbage` for a cursor that comes again (it would never end);
 * `upstream_too_large` past the limits.
 */
export async function everyPage(
  server: string,
  kind: DefinitionKind,
  ask: AskPage,
  limits: PageLimits,
  leftOut: LeftOut,
): Promise<Page[]> {
  const { list } = KINDS[kind];
  const pages: Page[] = [];
  const cursors = new Set<string>();
  let items = 0;
  for (let params: JsonObject = {}; ;) {
    const page = readPage(server, kind, await ask(list, params), leftOut);
    pages.push(page);
    items += page.items.length;
    if (items > limits.items) throw tooLarge(list, `${limits.items} definitions`);
    if (page.next === undefined) return pages;
    if (cursors.has(page.next)) throw new UpstreamFault('upstream_garbage', `${list}: a cursor came twice`);
    if (pages.length >= limits.pages) throw tooLarge(list, `${limits.pages} pages`);
    cursors.add(page.next);
    params = { cursor: page.next };
  }
}

function tooLarge(list: string, limit: string): UpstreamFault {
  return new UpstreamFault('upstream_too_large', `${list}: more than ${limit}`);
}
