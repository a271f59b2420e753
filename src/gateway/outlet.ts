/**
 * Where whoever answers hands in what comes. Everything crosses OUTWARD, the messages of one exchange one after the other.
 * An exchange that is parked (park.ts) hands its messages to the retry that continues it.
 */
import type { AuditRecord } from '../components/audit/record.ts';
import { newId } from '../lib/ids.ts';
import { askKey, MOST_ASKS, type EmbeddedAsk } from './asks.ts';
import type { Doc, Edit } from './document.ts';
import type { Exchange, Message } from './exchange.ts';
import { keep, type House } from './house.ts';
import { away, latest, type Open } from './ledger.ts';
import { methodRow, type MethodRow } from './methods.ts';
import { after, cancel, end, finish, quietly, register, rest } from './open-exchange.ts';
import type { Outlet } from './ports.ts';
import type { Reason } from './reasons.ts';
import { outcomeRecord, refusalRecord } from './records.ts';
import { retryHint } from './retry.ts';
import { asksAgain, goesOn, roundOver } from './rounds.ts';
import { Crossing } from './stage.ts';
import { asInputRequired } from './url-asks.ts';
import { deny, type Deny } from './verdict.ts';
import { walk, type Stop } from './walk.ts';

export function outletOf(open: Open, house: House): Outlet {
  return {
    event: (message) => event(latest(open), message, house),
    close: (message) => close(latest(open), message, house),
    fail: (reason, detail, retryAfter) => fail(latest(open), reason, detail, house, retryAfter),
    ask: (message, answered) => ask(latest(open), message, answered, house),
  };
}

function event(open: Open, message: Message, house: House): void | Promise<void> {
  if (message.method === 'notifications/cancelled') return takenBack(open, message, house);
  if (!away(open)) return cross(open, open, outward(open, 'event', message), house);
}

function close(open: Open, message: Message, house: House): void {
  if (away(open)) return void (open.parked!.last = (heir) => close(heir, message, house));
  roundOver(open, message.payload === 'error' ? 'error' : 'result', house);
  const known = asInputRequired(open.exchange, message, house);
  if (asksAgain(open.exchange, known)) goesOn(open, known, house, { ask, fail, outlet: outletOf(open, house) });
  else void cross(open, open, outward(open, 'closing', known), house);
}

/** The gateway's own closing: what a parked exchange asks. Its asks are exchanges already. */
export function closeWithAsks(open: Open, message: Message, asks: readonly EmbeddedAsk[], house: House): void {
  const crossing = outward(open, 'closing', message);
  crossing.asks = asks;
  crossing.parks = true;
  void cross(open, open, crossing, house);
}

function outward(open: Open, kind: 'opening' | 'event' | 'closing', message: Message): Crossing {
  const crossing = new Crossing('outward', kind);
  crossing.exchange = open.exchange;
  crossing.principal = open.exchange.principal;
  crossing.message = message;
  crossing.reply = open.reply;
  crossing.grant = open.grant;
  crossing.obligations.push(...open.obligations);
  return crossing;
}

/** Outward messages of one exchange keep their order, also when a stage waits; `lane` is the exchange that orders them. */
function cross(lane: Open, open: Open, crossing: Crossing, house: House): void | Promise<void> {
  if (lane.crossing === undefined) {
    const done = pass(open, crossing, house);
    return done instanceof Promise ? queue(lane, done, house) : undefined;
  }
  return queue(
    lane,
    lane.crossing.then(() => pass(open, crossing, house)),
    house,
  );
}

/** Never rejects: one message that fails must not keep the next ones back. */
function queue(lane: Open, done: Promise<void>, house: House): Promise<void> {
  const lost = (error: unknown): void => house.log.error({ err: error }, 'an outward message could not be settled');
  const tail = done.catch(lost).finally(() => {
    if (lane.crossing === tail) lane.crossing = undefined;
  });
  lane.crossing = tail;
  return tail;
}

function pass(open: Open, crossing: Crossing, house: House): void | Promise<void> {
  if (crossing.kind === 'closing') house.observer.answered?.(open.exchange);
  const stop = walk(house.stages.outward, crossing, house);
  return stop instanceof Promise
    ? stop.then((late) => settle(open, crossing, late, house))
    : settle(open, crossing, stop, house);
}

function settle(open: Open, crossing: Crossing, stop: Stop | undefined, house: House): void | Promise<void> {
  if (!stop) return undefined;
  const verdict = stop.verdict.effect === 'deny' ? stop.verdict : deny('approval_unavailable');
  if (verdict.reason === 'below_log_level') return undefined;
  house.runs.denied(open.exchange);
  house.observer.refused('outward', stop.stage, verdict.reason, open.exchange);
  switch (crossing.kind) {
    case 'event':
      return after(
        quietly(() => keep(house, refusalRecord(crossing, stop, verdict, house)), house),
        () => verdict.reason === 'proof_ended' && cancel(open, 'proof_ended', house),
      );
    case 'opening':
      return after(
        quietly(() => keep(house, stopRecord(open, crossing, stop, verdict, house)), house),
        () => askStopped(open, verdict, house),
      );
    case 'closing':
      // What a parked exchange asks may not go out: nobody will ever answer, and the server need not wait.
      if (crossing.parks) open.flight?.cancel('agent_cancelled');
      return end(open, 'refused', verdict, crossing, house);
  }
}

/** 2026-07-28: a request that needs what its agent did not declare ends with -32021; elsewhere only the server is told. */
function askStopped(child: Open, verdict: Deny, house: House): void {
  child.answered?.(verdict);
  const parent = child.asker && latest(child.asker);
  if (parent && verdict.reason === 'capability_missing') {
    const failed = (one: Open): void => void end(one, 'failed', verdict, undefined, house);
    if (away(parent)) parent.parked!.last = failed;
    else failed(parent);
    parent.flight?.cancel('agent_cancelled');
  }
  finish(child, house, 'refused', verdict.reason);
}

/** An attempt that is on record and went no further gets its outcome; everything else that stops is a refusal. */
export function stopRecord(
  open: Open | undefined,
  crossing: Crossing,
  stop: Stop,
  verdict: Deny,
  house: House,
): AuditRecord {
  const kept = open?.attempted && !open.concluded && stop.stage !== 'keep';
  if (!kept) return refusalRecord(crossing, stop, verdict, house);
  open.concluded = true;
  return outcomeRecord(open.exchange, 'failed', undefined, house, verdict);
}

/** No answer came. */
function fail(open: Open, reason: Reason, detail: string, house: House, retryAfter?: number): void {
  if (away(open)) return void (open.parked!.last = (heir) => fail(heir, reason, detail, house, retryAfter));
  roundOver(open, 'failed', house);
  if (open.exchange.state !== 'open') return;
  const verdict = deny(reason, { detail, ...retryHint(reason, retryAfter) });
  const failed = (): void | Promise<void> => end(open, 'failed', verdict, undefined, house);
  if (open.crossing) void queue(open, open.crossing.then(failed), house);
  else void failed();
}

const TOO_MANY = `${MOST_ASKS} questions are open below this request`;

/** A server asks the agent: a child exchange, whose opening crosses OUTWARD and whose answer crosses INWARD. */
function ask(parent: Open, message: Message, answered: Parameters<Outlet['ask']>[1], house: House): void {
  const row = methodRow('server', message.method);
  if (!row || row.wire !== 'request') {
    return refuseAsk(parent, message, answered, deny('method_unknown_legacy', { detail: message.method }), house);
  }
  if (parent.exchange.state !== 'open' && !away(parent))
    return refuseAsk(parent, message, answered, deny('cancelled'), house);
  if (parent.children.size >= MOST_ASKS)
    return refuseAsk(parent, message, answered, deny('ask_not_possible', { detail: TOO_MANY }), house);
  const child = register(childExchange(parent.exchange, row, message, house), parent.reply, house, parent);
  child.answered = once(answered);
  child.grant = parent.grant;
  child.obligations = parent.obligations;
  parent.children.add(child);
  rest(parent, house);
  void cross(parent, child, outward(child, 'opening', message), house);
}

/** Its id is the server's own: on the agent's hop it could name an ask of somebody else. */
const NOT_ASKED: Stop = {
  stage: 'match',
  verdict: deny('unsolicited', { detail: 'no ask of this exchange is meant' }),
};

/** The server wants no answer any more: the ask ends, and an agent that has seen it is told so by the id it knows. */
function takenBack(open: Open, message: Message, house: House): void | Promise<void> {
  const id = message.doc.raw(['params', 'requestId']);
  const child = [...open.children].find(({ exchange }) => exchange.opening.doc.raw(['id']) === id);
  if (id === undefined || !child) return settle(open, outward(open, 'event', message), NOT_ASKED, house);
  const ended = (): void => cancel(child, 'server_cancelled', house);
  open.parked?.asks.delete(askKey(child));
  if (open.exchange.era === 'modern') return ended();
  const edit: Edit = { op: 'replace', path: ['params', 'requestId'], json: child.exchange.requestId! };
  const told = { ...message, doc: house.codec.edit(message.doc, [edit]) };
  return after(cross(open, open, outward(open, 'event', told), house), ended);
}

/** Recorded like everything that is refused, though no exchange came of it. */
function refuseAsk(
  parent: Open,
  message: Message,
  answered: (answer: Deny) => void,
  verdict: Deny,
  house: House,
): void {
  const crossing = outward(parent, 'opening', message);
  house.observer.refused('outward', 'match', verdict.reason, parent.exchange);
  const record = refusalRecord(crossing, { stage: 'match', verdict }, verdict, house);
  void after(
    quietly(() => keep(house, record), house),
    () => answered(verdict),
  );
}

function childExchange(parent: Exchange, row: MethodRow, opening: Message, house: House): Exchange {
  const now = house.clock.now();
  return {
    ...parent,
    id: newId(house.clock),
    parent,
    resumes: undefined,
    row,
    requestId: house.ledger.nextAskId(),
    progressToken: progressTokenOf(opening.doc),
    opening,
    opened: now,
    deadline: now + house.settings.askDeadline,
    trail: [],
    target: { of: 'exchange', exchange: parent },
    state: 'open',
  };
}

function progressTokenOf(doc: Doc): string | undefined {
  return doc.raw(['params', '_meta', 'progressToken']);
}

function once<A extends unknown[]>(call: (...args: A) => void): (...args: A) => void {
  let called = false;
  return (...args) => {
    if (called) return;
    called = true;
    call(...args);
  };
}
