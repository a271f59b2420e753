/**
 * What is open. Law 10: everything is found by the verified principal first, so that a guessed or colliding id never
 * reaches another's exchange.
 */
import type { Ended } from '../components/limits/limits.ts';
import type { Exchange, Id } from './exchange.ts';
import type { Flight, Grant, Outlet, Reply } from './ports.ts';
import type { Parked } from './park.ts';
import { principalKey } from './principal.ts';
import type { Obligation } from './verdict.ts';

/** An open exchange with all that hangs on it. */
export interface Open {
  readonly exchange: Exchange;
  readonly reply: Reply;
  readonly children: Set<Open>;
  /** Called once when it ends: limits given back, timers cleared. */
  readonly ended: ((ended: Ended) => void)[];
  /** Whether it went on its way to whoever answers it, and how many bytes came back. */
  sent: boolean;
  heard: number;
  flight: Flight | undefined;
  grant: Grant | undefined;
  /** Asks: the exchange below which the server asked. */
  readonly asker: Open | undefined;
  /** A modern agent was asked by ending its request (park.ts); the server still waits. */
  parked: Parked | undefined;
  /** How often a modern server has asked again (rounds.ts). */
  rounds: number;
  /** The attempt that a modern server works on now, after it asked. */
  round: Exchange | undefined;
  /** Asks: who waits for the agent's answer. */
  answered: Parameters<Outlet['ask']>[1] | undefined;
  /** Outward messages cross one after the other; this is the last one still crossing. */
  crossing: Promise<void> | undefined;
  timer: NodeJS.Timeout | undefined;
  /** When the timer fires: epoch milliseconds, or Infinity. */
  ends: number;
  /** Milliseconds that were left when its first ask came; undefined while its deadline runs. */
  rests: number | undefined;
  /** What the policy that let it in ordered for everything that comes out of it. */
  obligations: readonly Obligation[];
  /** Whether an attempt record exists: then an outcome must follow. */
  attempted: boolean;
  /** Whether an outcome record was handed to audit: then none follows. */
  concluded: boolean;
}

/** The exchange that stands for this one now: the last retry of it. */
export function latest(open: Open): Open {
  let at = open;
  while (at.parked?.heir) at = at.parked.heir;
  return at;
}

/** Asked by the end of its request, and no retry has come yet: nobody is there to be told. */
export function away(open: Open): boolean {
  return open.parked?.asked === true;
}

export class Ledger {
  readonly #byId = new Map<string, Open>();
  /** By principal, session and id; only legacy sessions name requests across connections. */
  readonly #requests = new Map<string, Open>();
  readonly #asks = new Map<string, Open>();
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
    const name = nameOf(open.exchange);
    if (name !== undefined) this.#table(open).set(name, open);
  }

  remove(open: Open): void {
    this.#byId.delete(open.exchange.id);
    const name = nameOf(open.exchange);
    if (name !== undefined && this.#table(open).get(name) === open) this.#table(open).delete(name);
  }

  #table({ exchange }: Open): Map<string, Open> {
    return exchange.row.opener === 'agent' ? this.#requests : this.#asks;
  }

  byId(id: string): Open | undefined {
    return this.#byId.get(id);
  }

  request(session: string, id: Id, principal: string): Open | undefined {
    return this.#requests.get(principalKey(principal, session, id));
  }

  ask(session: string, id: Id, principal: string): Open | undefined {
    return this.#asks.get(principalKey(principal, session, id));
  }

  *all(): Generator<Open> {
    // A copy: whoever walks this may end what it finds.
    yield* Array.from(this.#byId.values());
  }

  *ofSession(session: string): Generator<Open> {
    for (const open of this.all()) if (open.exchange.session === session) yield open;
  }
}

/** The principal comes first: equal sessions or ids of two callers never meet. */
function nameOf({ principal, session, requestId }: Exchange): string | undefined {
  return session === undefined || requestId === undefined ? undefined : principalKey(principal.key, session, requestId);
}
