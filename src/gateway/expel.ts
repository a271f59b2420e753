/** Ends at once what somebody has open who may not go on: suspended, out of reach, or its proof taken back. */
import type { Exchange } from './exchange.ts';
import type { House } from './house.ts';
import { cancel } from './open-exchange.ts';
import { abandon } from './park.ts';
import type { CancelWhy } from './ports.ts';
import type { Principal } from './principal.ts';
import { outOfReach } from './reach.ts';

interface Leaving {
  /** This exchange ends. */
  readonly ends: (exchange: Exchange) => boolean;
  /** Sessions and streams of this principal end: they were opened with what it was then. */
  readonly gone: (principal: Principal) => boolean;
}

/** The registry has changed: everything that is open is asked again whether it may go on. */
export function expelBlocked(house: House): void {
  const stopped = new Set([...house.ledger.all()].map(({ exchange }) => exchange.principal).filter(isStopped(house)));
  expel(
    house,
    { ends: (exchange) => mayNotGoOn(exchange, house), gone: (principal) => isChanged(principal, house) },
    'suspended',
  );
  // Their processes and connections go with them: what a server keeps for a caller must not outlive it.
  for (const { key } of stopped) house.upstreams.forget({ principal: key });
}

/** Proofs were taken back: whatever was opened with one of them ends. */
export function expelRevoked(house: House): void {
  const revoked = (principal: Principal): boolean =>
    house.parts.identity.some((part) => part.holds?.(principal) === false);
  expel(house, { ends: ({ principal }) => revoked(principal), gone: revoked }, 'proof_ended');
}

function expel(house: House, { ends, gone }: Leaving, why: CancelWhy): void {
  const leaves = (exchange: Exchange): boolean =>
    ends(exchange) || (exchange.deadline === Infinity && gone(exchange.principal));
  for (const open of Array.from(house.parked.values())) if (leaves(open.exchange)) abandon(open, why, house);
  house.sessions.expel?.(gone, why);
  for (const open of house.ledger.all()) if (leaves(open.exchange)) cancel(open, why, house);
}

function isStopped(house: House): (principal: Principal) => boolean {
  return (principal) => 'effect' in house.agents.known(principal);
}

function mayNotGoOn({ principal, row, target }: Exchange, house: House): boolean {
  const known = house.agents.known(principal);
  return 'effect' in known || outOfReach(known, row.action, target) !== undefined;
}

/** Groups, servers or quarantine are others than those it was let in with. */
function isChanged(principal: Principal, house: House): boolean {
  return house.agents.known(principal) !== principal;
}
