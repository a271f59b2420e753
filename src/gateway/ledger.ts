/**
 * What is open. Law 10: everything is found by the verified principal first, so that a guessed or colliding id never
 * reaches another's exchange.
 */
import type { Exchange, Id } from './exchange.ts';
import type { Flight, Grant, Outlet, Reply } from './ports.ts';

/** An open exchange with all that hangs on it. */
export interface Open {
  readonly exchange: Exchange;
  readonly reply: Reply;
  readonly children: Set<Open>;
  /** Called once when it ends: limits given back, timers cleared. */
  readonly ended: (() => void)[];
  flight: Flight | undefined;
  grant: Grant | undefined;
  /** Asks: who waits for the agent's answer. */
  answered: Parameters<Outlet['ask']>[1] | undefined;
  /** Outward messages cross one after the other; this is the last one still crossing. */
  crossing: Promise<void> | undefined;
  timer: NodeJS.Timeout | undefined;
  /** Whether an attempt record exists: then an outcome must follow. */
  attempted: boolean;
}

export class Ledger {
  readonly #byId = new Map<string, Open>();
  /** session → request id → open; only legacy sessions name requests across connections. */
  readonly #requests = new Map<string, Map<Id, Open>>();
  readonly #asks = new Map<string, Map<Id, Open>>();
  #lastAsk = 0;

  get size(): number {
    return this.#byId.size;
  }

  /** The id of the next ask on an agent's hop: a plain integer, because some clients know no other. */
  nextAskId(): Id {
    this.#lastAsk += 1;
    return String(this.#lastAsk);
  }

  add(open: Open): void {
    this.#byId.set(open.exchange.id, open);
    const { session, requestId } = open.exchange;
    if (session === undefined || requestId === undefined) return;
    const table = open.exchange.row.opener === 'agent' ? this.#requests : this.#asks;
    const ids = table.get(session) ?? new Map<Id, Open>();
    table.set(session, ids.set(requestId, open));
  }

  remove(open: Open): void {
    this.#byId.delete(open.exchange.id);
    const { session, requestId } = open.exchange;
    if (session === undefined || requestId === undefined) return;
    const table = open.exchange.row.opener === 'agent' ? this.#requests : this.#asks;
    const ids = table.get(session);
    if (ids?.get(requestId) === open) ids.delete(requestId);
    if (ids?.size === 0) table.delete(session);
  }

  byId(id: string): Open | undefined {
    return this.#byId.get(id);
  }

  request(session: string, id: Id, principal: string): Open | undefined {
    return owned(this.#requests.get(session)?.get(id), principal);
  }

  ask(session: string, id: Id, principal: string): Open | undefined {
    return owned(this.#asks.get(session)?.get(id), principal);
  }

  *all(): Generator<Open> {
    // A copy: whoever walks this may end what it finds.
    yield* Array.from(this.#byId.values());
  }

  *ofSession(session: string): Generator<Open> {
    for (const open of this.all()) if (open.exchange.session === session) yield open;
  }
}

function owned(open: Open | undefined, principal: string): Open | undefined {
  return open?.exchange.principal.key === principal ? open : undefined;
}
