/**
 * A modern agent at a legacy server. The server asks while it works; this agent can only be asked by ending its request with
 * `input_required` (basic/patterns/mrtr). So the server's call is parked: it goes on waiting, and the retry of the same
 * principal, with the same params, takes it over. A parked call lives in this process: after a restart the retry is told so.
 */
import { askKey } from './asks.ts';
import { isObject, type Json } from './document.ts';
import type { Message } from './exchange.ts';
import type { House } from './house.ts';
import { latest, type Open } from './ledger.ts';
import { cancel, finish } from './open-exchange.ts';
import { closeWithAsks } from './outlet.ts';
import type { CancelWhy } from './ports.ts';
import type { Crossing } from './stage.ts';

export interface Parked {
  /** What the server waits for: key in `inputRequests` → ask. */
  readonly asks: Map<string, { readonly child: Open; readonly message: Message }>;
  /** The closing that asks is on its way, or out: what the server says now is for the retry. */
  asked: boolean;
  /** The retry that continues it. */
  heir: Open | undefined;
  /** The server's last word, when it came while no agent waited. */
  last: ((heir: Open) => void) | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** Servers that ask several things at once do so within the same moment; the agent is then asked once. */
const GATHER = 5;

/** Parked calls of one principal; each holds a call at a server. Above it the oldest is given up. */
const MOST = 64;

/** The ask has crossed and is recorded: it waits until the agent's request ends with it. */
export function park(child: Open, message: Message, house: House): void {
  const parent = child.asker && latest(child.asker);
  if (!parent || !reachable(parent, house)) return cancel(child, house.draining ? 'draining' : 'agent_gone', house);
  parent.parked ??= unasked();
  parent.parked.asks.set(askKey(child), { child, message });
  askSoon(parent, parent.parked, house);
}

function unasked(): Parked {
  return { asks: new Map(), asked: false, heir: undefined, last: undefined, timer: undefined };
}

/** A gateway that stops will not be there for the retry. */
function reachable({ exchange }: Open, house: House): boolean {
  return !house.draining && (exchange.state === 'open' || house.parked.has(exchange.id));
}

function askSoon(open: Open, parked: Parked, house: House): void {
  if (parked.asked) return;
  parked.timer ??= setTimeout(() => {
    parked.timer = undefined;
    if (open.exchange.state === 'open' && parked.asks.size > 0) endWithAsks(open, parked, house);
  }, GATHER);
}

function endWithAsks(open: Open, parked: Parked, house: House): void {
  parked.asked = true;
  const asks = [...parked.asks].map(([key, { child }]) => ({ key, id: child.exchange.id, row: child.exchange.row }));
  closeWithAsks(open, inputRequired(open.exchange.row.method, parked, house), asks, house);
}

/** The closing that asks is being let out: from here on its retry may come, until the asks' own deadline. */
export function wait(open: Open, house: House): void {
  const { parked } = open;
  if (!parked) throw new Error('an exchange that asked nothing cannot wait for answers');
  makeRoom(open.exchange.principal.key, house);
  house.parked.set(open.exchange.id, open);
  parked.timer = setTimeout(() => abandon(open, 'deadline_passed', house), house.settings.askDeadline);
  parked.timer.unref();
}

function makeRoom(principal: string, house: House): void {
  const theirs = [...house.parked.values()].filter(({ exchange }) => exchange.principal.key === principal);
  for (const oldest of theirs.slice(0, Math.max(0, theirs.length - MOST + 1))) abandon(oldest, 'agent_gone', house);
}

function inputRequired(method: string, { asks }: Parked, house: House): Message {
  const requests = [...asks].map(([key, { message }]) => {
    const params = message.doc.raw(['params']);
    return `${JSON.stringify(key)}:{"method":${JSON.stringify(message.method)}${params === undefined ? '' : `,"params":${params}`}}`;
  });
  const result = `{"resultType":"input_required","inputRequests":{${requests.join(',')}}}`;
  return {
    kind: 'closing',
    method,
    doc: house.codec.read(`{"jsonrpc":"2.0","id":0,"result":${result}}`),
    payload: 'result',
  };
}

/** The retry takes the server's call over: its answers go to the asks, and what comes next comes to it. */
export function takeOver(heir: Open, before: Open, crossing: Crossing, house: House): void {
  const { parked } = before;
  if (!parked) throw new Error('the exchange that is continued was not parked');
  clearTimeout(parked.timer);
  house.parked.delete(before.exchange.id);
  parked.heir = heir;
  heir.flight = before.flight;
  // What the server was given for this call is what must not come back.
  heir.grant = before.grant;
  for (const child of before.children) heir.children.add(child);
  before.children.clear();
  const left = answer(parked, responsesOf(crossing), house);
  if (parked.last) return parked.last(heir);
  if (left.size === 0) return;
  heir.parked = { ...unasked(), asks: left };
  askSoon(heir, heir.parked, house);
}

/** Gives the agent's answers to the server; what it did not answer is left, to be asked again (mrtr, "missing responses"). */
function answer({ asks }: Parked, responses: ReadonlyMap<string, string>, house: House): Parked['asks'] {
  const left: Parked['asks'] = new Map();
  for (const [key, asked] of asks) {
    const response = responses.get(key);
    if (response === undefined) left.set(key, asked);
    else answered(asked.child, response, house);
  }
  return left;
}

/** Its outcome is on record with the retry (keep). */
function answered(child: Open, response: string, house: House): void {
  const { row } = child.exchange;
  const doc = house.codec.read(`{"jsonrpc":"2.0","id":0,"result":${response}}`);
  child.answered?.({ kind: 'closing', method: row.method, doc, payload: 'result' });
  finish(child, house, 'result', undefined);
}

/** Exact texts by key. */
function responsesOf({ message }: Crossing): ReadonlyMap<string, string> {
  const params = isObject(message.doc.value) ? message.doc.value['params'] : undefined;
  const responses: Json | undefined = isObject(params) ? params['inputResponses'] : undefined;
  if (!isObject(responses)) return new Map();
  return new Map(
    Object.keys(responses).map((key) => [key, message.doc.raw(['params', 'inputResponses', key]) ?? 'null']),
  );
}

/** Nobody came back: the server is told that the call is over. */
export function abandon(open: Open, why: CancelWhy, house: House): void {
  if (!house.parked.delete(open.exchange.id)) return;
  clearTimeout(open.parked?.timer);
  for (const child of open.children) cancel(child, why, house);
  open.flight?.cancel(why);
}
