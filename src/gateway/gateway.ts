/** The core: one message in, its way walked, its end recorded and told. */
import { keep, type House } from './house.ts';
import { after, cancel, end, finish, quietly, register, renew } from './open-exchange.ts';
import { outletOf, stopRecord } from './outlet.ts';
import { abandon } from './park.ts';
import { methodRow } from './methods.ts';
import type { Arrival, CancelWhy, Core, Handling, Reply, Standing } from './ports.ts';
import type { AuditRecord } from '../components/audit/record.ts';
import type { Exchange } from './exchange.ts';
import type { Open } from './ledger.ts';
import { newId } from '../lib/ids.ts';
import { attemptRecord } from './records.ts';
import { Crossing } from './stage.ts';
import { deny, type Deny } from './verdict.ts';
import { walk, type Stop } from './walk.ts';

/** The core, and the way to end it. */
export interface WholeCore extends Core {
  /** Nothing new is taken; listening exchanges end now, calls may finish. */
  drain(): void;
}

export function createCore(house: House): WholeCore {
  return {
    handle: (arrival, reply) => handle(arrival, reply, house),
    stand: (initialize, session, reply) => stand(initialize, session, reply, house),
    endSession: (session, why) => endSession(session, why, house),
    drain: () => drain(house),
  };
}

function handle(arrival: Arrival, reply: Reply, house: House): Handling {
  const crossing = new Crossing('inward', 'opening');
  crossing.arrival = arrival;
  crossing.reply = reply;
  const stop = walk(house.stages.inward, crossing, house);
  const crossed =
    stop instanceof Promise ? stop.then((late) => over(crossing, late, house)) : over(crossing, stop, house);
  return { crossed: crossed instanceof Promise ? crossed : undefined, cancel: (why) => hungUp(crossing, why, house) };
}

function hungUp(crossing: Crossing, why: CancelWhy, house: House): void {
  const { exchange } = crossing.sofar();
  const open = exchange && crossing.kind === 'opening' ? house.ledger.byId(exchange.id) : undefined;
  if (open) cancel(open, why, house);
  else crossing.abandoned = true;
}

/** The inward crossing is over. A message that was stopped is recorded, told, and whatever was taken for it given back. */
function over(crossing: Crossing, stop: Stop | undefined, house: House): void | Promise<void> {
  for (const done of crossing.whenRead.splice(0)) done();
  if (!stop) return undefined;
  const verdict = stop.verdict.effect === 'deny' ? stop.verdict : deny('approval_unavailable');
  const { exchange } = crossing.sofar();
  if (exchange) house.runs.denied(exchange);
  house.observer.refused('inward', stop.stage, verdict.reason, exchange);
  return after(
    quietly(() => keep(house, stopRecord(openOf(crossing, house), crossing, stop, verdict, house)), house),
    () => refuse(crossing, verdict, house),
  );
}

function openOf(crossing: Crossing, house: House): Open | undefined {
  const { exchange } = crossing.sofar();
  return exchange && crossing.kind !== 'event' ? house.ledger.byId(exchange.id) : undefined;
}

function refuse(crossing: Crossing, verdict: Deny, house: House): void {
  const { exchange, reading } = crossing.sofar();
  const told = exchange !== undefined && crossing.kind === 'opening' && exchange.state !== 'open';
  const open = openOf(crossing, house);
  if (open && crossing.kind === 'opening') finish(open, house, 'refused', verdict.reason);
  // An answer that may not cross: whoever asked must not wait for it any longer.
  if (open && crossing.kind === 'closing') void end(open, 'refused', verdict, undefined, house);
  // Its state was used up by the attempt: nobody can come back for the parked call.
  if (crossing.continues) abandon(crossing.continues, 'agent_cancelled', house);
  if (told) return;
  const era = reading?.era ?? crossing.unreadable?.era ?? 'modern';
  crossing.reply.refuse(
    verdict,
    reading?.requestId ?? crossing.unreadable?.requestId,
    era,
    crossing.challenges,
    crossing.challengeHeaders,
  );
}

function stand(initialize: Exchange, session: string, reply: Reply, house: House): Standing {
  const row = methodRow('agent', 'session/stream');
  if (!row) throw new Error('session/stream has no row');
  const exchange: Exchange = {
    ...initialize,
    id: newId(house.clock),
    parent: undefined,
    resumes: undefined,
    row,
    session,
    requestId: undefined,
    progressToken: undefined,
    run: house.runs.of(initialize.principal, session),
    opened: house.clock.now(),
    deadline: Infinity,
    trail: [],
    target: { of: 'gateway' },
    state: 'open',
  };
  const open = register(exchange, reply, house);
  void quietly(() => keep(house, standingRecord(exchange, house)), house);
  open.attempted = true;
  return {
    exchange,
    outlet: outletOf(open, house),
    renew: (principal) => renew(open, principal, house),
    end: (why) => cancel(open, why, house),
  };
}

/** Its events name this exchange, and somebody will ask whose they were. */
function standingRecord(exchange: Exchange, house: House): AuditRecord {
  const crossing = new Crossing('outward', 'opening');
  crossing.exchange = exchange;
  crossing.message = exchange.opening;
  return attemptRecord(crossing, house);
}

function endSession(session: string, why: CancelWhy, house: House): void {
  for (const open of house.ledger.ofSession(session)) {
    // The DELETE that ends the session is done, not cancelled, by ending it.
    if (open.exchange.row.method !== 'session/end') cancel(open, why, house);
  }
  house.runs.ended(session);
}

/** Nothing new is taken; listening exchanges end now, calls may finish. */
function drain(house: House): void {
  house.draining = true;
  for (const open of house.ledger.all()) if (open.exchange.deadline === Infinity) cancel(open, 'draining', house);
  for (const open of Array.from(house.parked.values())) abandon(open, 'draining', house);
}
