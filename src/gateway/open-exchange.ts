/** The life of an exchange: registered, started, its messages crossing outward one after the other, ended once. */
import { newId } from '../lib/ids.ts';
import type { Exchange, Message } from './exchange.ts';
import { epochOf, keep, type House } from './house.ts';
import { latest, type Open } from './ledger.ts';
import type { MethodRow } from './methods.ts';
import type { CancelWhy, OutcomeStatus, Reply } from './ports.ts';
import type { Principal } from './principal.ts';
import type { Reason } from './reasons.ts';
import { recordingOf } from './recording.ts';
import { outcomeRecord } from './records.ts';
import type { Crossing } from './stage.ts';
import { serverOf } from './stages/question.ts';
import { deny, type Deny } from './verdict.ts';

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
    peer: arrival.peer.address,
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
    ...recorded(crossing.message),
    opened: now,
    deadline: listens(row) ? Infinity : now + house.settings.deadline,
    trail: crossing.trail,
    epoch: epochOf(house),
    target: { of: 'gateway' },
    state: 'open',
  };
}

function recorded(message: Message): { readonly recording?: string } {
  const recording = recordingOf(message);
  return recording === undefined ? {} : { recording };
}

/** Listening exchanges live as long as somebody listens. */
function listens(row: MethodRow): boolean {
  return row.method === 'subscriptions/listen' || row.method === 'session/stream';
}

/** From here on it is found by its ids, cancelled by its agent, and ended by its deadline. */
export function register(exchange: Exchange, reply: Reply, house: House, asker?: Open): Open {
  const open: Open = {
    exchange,
    reply,
    children: new Set(),
    ended: [],
    sent: false,
    heard: 0,
    flight: undefined,
    grant: undefined,
    answered: undefined,
    asker,
    crossing: undefined,
    timer: undefined,
    ends: Infinity,
    rests: undefined,
    obligations: [],
    attempted: false,
    concluded: false,
    parked: undefined,
    rounds: 0,
    round: undefined,
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
  const proof = proofEnds(open.exchange);
  const ends = Math.min(deadline, proof);
  if (ends === Infinity) return;
  const left = Math.max(0, ends - house.clock.now());
  const over = (): void => cancel(open, deadline <= proof ? 'deadline_passed' : 'proof_ended', house);
  open.timer = setTimeout(left > LONGEST ? () => arm(open, house, deadline) : over, Math.min(LONGEST, left));
  open.timer.unref();
}

/** An answer to an ask brings a proof of its own; everything else ends with the proof that opened it. */
function proofEnds({ row, principal }: Exchange): number {
  return row.opener === 'server' ? Infinity : (principal.expires ?? Infinity);
}

/** The session of a standing exchange was used with a newer proof. */
export function renew(open: Open, principal: Principal, house: House): void {
  open.exchange.principal = principal;
  if (open.exchange.state === 'open') arm(open, house, open.ends);
}

/** The inward crossing is over; the exchange now waits for its server, as long as that server is given. */
export function start(crossing: Crossing, house: House): Open {
  const open = house.ledger.byId(crossing.exchange.id);
  if (!open) throw new Error('the exchange ended before it started');
  open.sent = true;
  open.grant = crossing.grant;
  open.obligations = [...crossing.obligations];
  const server = serverOf(crossing.exchange.target);
  if (server !== undefined && !listens(crossing.exchange.row) && crossing.direction === 'inward') {
    const deadline = crossing.exchange.opened + house.settings.serverDeadline(server);
    if (deadline !== open.ends) arm(open, house, deadline);
  }
  return open;
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

/** Ends that the agent is told by name. */
const TOLD: ReadonlySet<CancelWhy> = new Set(['deadline_passed', 'draining', 'proof_ended']);

/** Somebody gave up on it. Nothing more reaches the agent than that, and nothing at all when the agent is gone. */
export function cancel(open: Open, why: CancelWhy, house: House): void {
  const { exchange } = open;
  if (exchange.state !== 'open') return;
  exchange.state = 'cancelled';
  const verdict = deny(TOLD.has(why) ? (why as Reason) : 'cancelled', { detail: why });
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
  const ended = { status, sent: open.sent, bytes: open.heard };
  for (const done of open.ended.splice(0)) done(ended);
  if (!house.parked.has(open.exchange.id)) for (const child of open.children) cancel(child, 'session_ended', house);
  house.observer.closed(open.exchange, status, reason);
  if (open.asker) childEnded(latest(open.asker), open, house);
}

/**
 * While a person or a model answers an ask, the parent's deadline rests; then it runs on with what was left. A fresh deadline
 * after every ask would let a server live for ever by asking.
 */
export function rest(parent: Open, house: House): void {
  if (parent.rests !== undefined) return;
  parent.rests = parent.ends - house.clock.now();
  arm(parent, house, Infinity);
}

function childEnded(parent: Open, child: Open, house: House): void {
  parent.children.delete(child);
  if (parent.children.size > 0 || parent.rests === undefined) return;
  const left = parent.rests;
  parent.rests = undefined;
  arm(parent, house, house.clock.now() + left);
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
