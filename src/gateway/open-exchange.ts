/** The life of an exchange: registered, started, its messages crossing outward one after the other, ended once. */
import { newId } from '../lib/ids.ts';
import type { Doc } from './document.ts';
import type { Exchange, Message } from './exchange.ts';
import { epochOf, keep, type House } from './house.ts';
import type { Open } from './ledger.ts';
import { methodRow, type MethodRow } from './methods.ts';
import type { CancelWhy, Outlet, OutcomeStatus, Reply } from './ports.ts';
import type { Reason } from './reasons.ts';
import { outcomeRecord, refusalRecord } from './records.ts';
import { Crossing } from './stage.ts';
import type { AuditRecord } from '../components/audit/record.ts';
import { serverOf } from './stages/question.ts';
import { deny, type Deny } from './verdict.ts';
import { walk, type Stop } from './walk.ts';

/** The exchange that an agent's opening begins. */
export function newExchange(crossing: Crossing, row: MethodRow, house: House, resumes: string | undefined): Exchange {
  const { reading, principal, arrival, session } = crossing;
  const now = house.clock.now();
  return {
    id: newId(house.clock),
    parent: undefined,
    resumes,
    row,
    principal,
    endpoint: arrival.endpoint ?? { kind: 'joint' },
    era: reading.era,
    version: session?.version ?? reading.version,
    requestId: reading.requestId,
    session: session?.id,
    caps: session?.caps ?? reading.caps,
    clientInfo: session?.clientInfo ?? reading.clientInfo,
    progressToken: reading.progressToken,
    logLevel: session?.logLevel ?? reading.logLevel,
    opening: crossing.message,
    run: house.runs.of(principal, session?.id),
    opened: now,
    deadline: listens(row) ? Infinity : now + house.settings.deadline,
    trail: crossing.trail,
    epoch: epochOf(house),
    target: { of: 'gateway' },
    state: 'open',
  };
}

/** Listening exchanges live as long as somebody listens. */
function listens(row: MethodRow): boolean {
  return row.method === 'subscriptions/listen' || row.method === 'session/stream';
}

/** From here on it is found by its ids, cancelled by its agent, and ended by its deadline. */
export function register(exchange: Exchange, reply: Reply, house: House): Open {
  const open: Open = {
    exchange,
    reply,
    children: new Set(),
    ended: [],
    flight: undefined,
    grant: undefined,
    answered: undefined,
    crossing: undefined,
    timer: undefined,
    ends: Infinity,
    rests: undefined,
    obligations: [],
    attempted: false,
    concluded: false,
  };
  house.ledger.add(open);
  house.observer.opened(exchange);
  arm(open, house, exchange.deadline);
  return open;
}

/** What a timer can hold; beyond it Node fires at once. */
const LONGEST = 2 ** 31 - 1;

function arm(open: Open, house: House, deadline: number): void {
  clearTimeout(open.timer);
  open.timer = undefined;
  open.ends = deadline;
  if (deadline === Infinity) return;
  const left = Math.min(LONGEST, Math.max(0, deadline - house.clock.now()));
  open.timer = setTimeout(() => cancel(open, 'deadline_passed', house), left);
  open.timer.unref();
}

/** The inward crossing is over; the exchange now waits for its server, as long as that server is given. */
export function start(crossing: Crossing, house: House): Open {
  const open = house.ledger.byId(crossing.exchange.id);
  if (!open) throw new Error('the exchange ended before it started');
  open.grant = crossing.grant;
  open.obligations = [...crossing.obligations];
  const server = serverOf(crossing.exchange.target);
  if (server !== undefined && !listens(crossing.exchange.row) && crossing.direction === 'inward') {
    arm(open, house, crossing.exchange.opened + house.settings.serverDeadline(server));
  }
  return open;
}

/** Where whoever answers hands in what comes. */
export function outletOf(open: Open, house: House): Outlet {
  return {
    event: (message) => cross(open, open, outward(open, 'event', message), house),
    close: (message) => void cross(open, open, outward(open, 'closing', message), house),
    fail: (reason, detail) => fail(open, reason, detail, house),
    ask: (message, answered) => ask(open, message, answered, house),
  };
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
  house.observer.refused('outward', stop.stage, verdict.reason, open.exchange);
  switch (crossing.kind) {
    case 'event':
      return quietly(() => keep(house, refusalRecord(crossing, stop, verdict, house)), house);
    case 'opening':
      return after(
        quietly(() => keep(house, stopRecord(open, crossing, stop, verdict, house)), house),
        () => {
          open.answered?.(verdict);
          finish(open, house, 'refused', verdict.reason);
        },
      );
    case 'closing':
      return end(open, 'refused', verdict, crossing, house);
  }
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
function fail(open: Open, reason: Reason, detail: string, house: House): void {
  if (open.exchange.state !== 'open') return;
  const failed = (): void | Promise<void> => end(open, 'failed', deny(reason, { detail }), undefined, house);
  if (open.crossing) void queue(open, open.crossing.then(failed), house);
  else void failed();
}

/** Ends an exchange with a verdict instead of an answer: recorded first, then told. */
export function end(
  open: Open,
  status: OutcomeStatus,
  verdict: Deny,
  crossing: Crossing | undefined,
  house: House,
): void | Promise<void> {
  const { exchange, reply } = open;
  if (exchange.state !== 'open') return undefined;
  exchange.state = 'closed';
  open.concluded = true;
  return after(
    quietly(() => keep(house, outcomeRecord(exchange, status, crossing, house, verdict)), house),
    () => {
      open.answered?.(verdict);
      if (!open.answered) reply.fail(exchange, verdict);
      finish(open, house, status, verdict.reason);
    },
  );
}

/** Somebody gave up on it. Nothing more reaches the agent than that, and nothing at all when the agent is gone. */
export function cancel(open: Open, why: CancelWhy, house: House): void {
  const { exchange } = open;
  if (exchange.state !== 'open') return;
  exchange.state = 'cancelled';
  const verdict = deny(why === 'deadline_passed' || why === 'draining' ? why : 'cancelled', { detail: why });
  const status = why === 'deadline_passed' ? 'failed' : 'cancelled';
  open.flight?.cancel(why);
  const told = (): void => {
    open.answered?.(verdict);
    if (!open.answered && why !== 'agent_gone') open.reply.fail(exchange, verdict);
    finish(open, house, status, verdict.reason);
  };
  if (!open.attempted || open.concluded) return told();
  open.concluded = true;
  void after(
    quietly(() => keep(house, outcomeRecord(exchange, status, undefined, house, verdict)), house),
    told,
  );
}

/** A notification, or a verb of the legacy transport: done when it is sent. */
export function accepted(open: Open, house: House): void {
  open.concluded = true;
  void after(
    quietly(() => keep(house, outcomeRecord(open.exchange, 'result', undefined, house)), house),
    () => finish(open, house, 'result', undefined),
  );
}

/** Gives everything back. Called once per exchange, by whichever end comes first. */
export function finish(open: Open, house: House, status: OutcomeStatus, reason: Reason | undefined): void {
  if (!house.ledger.byId(open.exchange.id)) return;
  if (open.exchange.state === 'open') open.exchange.state = 'closed';
  clearTimeout(open.timer);
  house.ledger.remove(open);
  for (const done of open.ended.splice(0)) done();
  for (const child of open.children) cancel(child, 'session_ended', house);
  house.observer.closed(open.exchange, status, reason);
  const parent = open.exchange.parent && house.ledger.byId(open.exchange.parent.id);
  if (parent) childEnded(parent, open, house);
}

/**
 * While a person or a model answers an ask, the parent's deadline rests; then it runs on with what was left. A fresh deadline
 * after every ask would let a server live for ever by asking.
 */
function rest(parent: Open, house: House): void {
  if (parent.rests !== undefined) return;
  parent.rests = parent.ends - house.clock.now();
  clearTimeout(parent.timer);
}

function childEnded(parent: Open, child: Open, house: House): void {
  parent.children.delete(child);
  if (parent.children.size > 0 || parent.rests === undefined) return;
  const left = parent.rests;
  parent.rests = undefined;
  arm(parent, house, house.clock.now() + left);
}

/** A server asks the agent: a child exchange, whose opening crosses OUTWARD and whose answer crosses INWARD. */
function ask(parent: Open, message: Message, answered: Parameters<Outlet['ask']>[1], house: House): void {
  const row = methodRow('server', message.method);
  if (!row || row.wire !== 'request') {
    return refuseAsk(parent, message, answered, deny('method_unknown_legacy', { detail: message.method }), house);
  }
  if (parent.exchange.state !== 'open') return refuseAsk(parent, message, answered, deny('cancelled'), house);
  const child = register(childExchange(parent.exchange, row, message, house), parent.reply, house);
  child.answered = once(answered);
  child.grant = parent.grant;
  child.obligations = parent.obligations;
  parent.children.add(child);
  rest(parent, house);
  void cross(parent, child, outward(child, 'opening', message), house);
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

/** For records of what is refused or over anyway: their loss is logged, never thrown. What goes on is recorded by `keep`, which stops it. */
export function quietly(record: () => void | Promise<void>, house: House): void | Promise<void> {
  const lost = (error: unknown): void => house.log.error({ err: error }, 'a record could not be kept');
  try {
    const done = record();
    return done instanceof Promise ? done.catch(lost) : undefined;
  } catch (error) {
    return lost(error);
  }
}

export function after(first: void | Promise<void>, then: () => void): void | Promise<void> {
  return first instanceof Promise ? first.then(then) : then();
}
