/** The core: one message in, its way walked, its end recorded and told. */
import { keep, type House } from './house.ts';
import { after, cancel, end, finish, outletOf, quietly, register } from './open-exchange.ts';
import { methodRow } from './methods.ts';
import type { Arrival, CancelWhy, Core, Handling, Reply, Standing } from './ports.ts';
import type { Exchange } from './exchange.ts';
import { newId } from '../lib/ids.ts';
import { refusalRecord } from './records.ts';
import { Crossing } from './stage.ts';
import { deny, type Deny } from './verdict.ts';
import { walk, type Stop } from './walk.ts';

export function createCore(house: House): Core & { drain(): void } {
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
}

/** The inward crossing is over. A message that was stopped is recorded, told, and whatever was taken for it given back. */
function over(crossing: Crossing, stop: Stop | undefined, house: House): void | Promise<void> {
  for (const done of crossing.whenRead.splice(0)) done();
  if (!stop) return undefined;
  const verdict = stop.verdict.effect === 'deny' ? stop.verdict : deny('approval_unavailable');
  house.observer.refused('inward', stop.stage, verdict.reason, crossing.sofar().exchange);
  return after(
    quietly(() => keep(house, refusalRecord(crossing, stop, verdict, house)), house),
    () => refuse(crossing, verdict, house),
  );
}

function refuse(crossing: Crossing, verdict: Deny, house: House): void {
  const { exchange, reading } = crossing.sofar();
  const told = exchange !== undefined && crossing.kind === 'opening' && exchange.state === 'cancelled';
  const open = exchange && crossing.kind === 'opening' ? house.ledger.byId(exchange.id) : undefined;
  if (open) finish(open, house, 'refused', verdict.reason);
  if (exchange !== undefined && crossing.kind === 'closing') answerRefused(exchange, verdict, house);
  if (told) return;
  const era = reading?.era ?? crossing.unreadable?.era ?? 'modern';
  crossing.reply.refuse(verdict, reading?.requestId ?? crossing.unreadable?.requestId, era);
}

/** The agent's answer to an ask was stopped: the server is told, and the ask is over. */
function answerRefused(child: Exchange, verdict: Deny, house: House): void {
  const open = house.ledger.byId(child.id);
  if (open?.answered) void end(open, 'refused', verdict, undefined, house);
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
  return { exchange, outlet: outletOf(open, house), end: (why) => cancel(open, why, house) };
}

function endSession(session: string, why: CancelWhy, house: House): void {
  for (const open of house.ledger.ofSession(session)) cancel(open, why, house);
}

/** Nothing new is taken; listening exchanges end now, calls may finish. */
function drain(house: House): void {
  house.draining = true;
  for (const open of house.ledger.all()) if (open.exchange.deadline === Infinity) cancel(open, 'draining', house);
}
