/** Lists of several servers at once, at once where they are known: a stage that needs no waiting costs no waiting. */
import type { DefinitionKind, Exchange } from '../gateway/exchange.ts';
import type { Clock, Hop } from '../gateway/ports.ts';
import type { Listing } from './listing.ts';
import type { Fault, Listed, View } from './view.ts';
import type { Views } from './views.ts';
import { within } from './within.ts';

/** In configured order. */
export interface Gathered {
  readonly listings: readonly Listing[];
  /** Servers that could not be asked; some of them still have a listing, from before. */
  readonly faults: ReadonlyMap<string, Fault>;
}

export interface Question {
  readonly servers: readonly string[];
  readonly kinds: readonly DefinitionKind[];
  readonly hop: Hop;
  /** Epoch milliseconds: whoever has not answered then is left out. */
  readonly until: number;
  /** `list`: no list whose time is over. `call`: the last one, unless the server said that it changed. */
  readonly purpose: 'list' | 'call';
}

export interface GatherDeps {
  readonly views: Views;
  readonly clock: Clock;
}

const LATE: Listed = { ok: false, fault: { reason: 'deadline_passed', detail: 'the server did not list in time' } };
/** Left for the answer itself. */
const RESERVE = 250;

/** Until when lists may be waited for: with several servers a slow one must not hold the others up. */
export function waitUntil(exchange: Pick<Exchange, 'deadline' | 'endpoint'>, clock: Clock, patience: number): number {
  const last = exchange.deadline - RESERVE;
  return exchange.endpoint.kind === 'server' ? last : Math.min(last, clock.now() + patience);
}

export function gather(question: Question, deps: GatherDeps): Gathered | Promise<Gathered> {
  const parts: { server: string; listed: Listed | Promise<Listed> }[] = [];
  for (const server of question.servers) {
    const view = deps.views.of(server, question.hop);
    for (const kind of question.kinds) parts.push({ server, listed: listedBy(view, kind, question, deps) });
  }
  if (parts.every(isReady)) return summed(parts);
  return Promise.all(parts.map(async ({ server, listed }) => ({ server, listed: await listed }))).then(summed);
}

function isReady<Part extends { listed: unknown }>(part: Part): part is Part & { listed: Listed } {
  return !(part.listed instanceof Promise);
}

function listedBy(view: View, kind: DefinitionKind, question: Question, deps: GatherDeps): Listed | Promise<Listed> {
  const known = question.purpose === 'list' ? view.fresh(kind) : view.peek(kind);
  if (known !== undefined) return { ok: true, listing: known, fresh: true };
  const failed = question.servers.length > 1 ? view.failedLately : undefined;
  if (failed !== undefined) return lastOf(view, kind, failed);
  const late = within(view.load(kind, question.hop), question.until - deps.clock.now(), undefined);
  return late.then((listed) => listed ?? lastOf(view, kind, undefined));
}

function lastOf(view: View, kind: DefinitionKind, fault: Fault | undefined): Listed {
  const listing = view.lastGood(kind);
  if (listing !== undefined) return { ok: true, listing, fresh: false };
  return fault === undefined ? LATE : { ok: false, fault };
}

function summed(parts: readonly { readonly server: string; readonly listed: Listed }[]): Gathered {
  const listings: Listing[] = [];
  const faults = new Map<string, Fault>();
  for (const { server, listed } of parts) {
    if (listed.ok) listings.push(listed.listing);
    if (!listed.ok) faults.set(server, listed.fault);
    else if (!listed.fresh) faults.set(server, { reason: 'upstream_unavailable', detail: 'shown as it was last seen' });
  }
  return { listings, faults };
}
