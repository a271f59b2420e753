/**
 * A legacy agent at a modern server. The server asks by ending the request with `input_required`; this agent is asked by
 * requests on its open stream. So the agent's request stays open, each ask crosses to it as a child exchange, and the server
 * is asked again with the answers, until it is content (basic/patterns/mrtr; at most `ROUNDS` times).
 */
import { newId } from '../lib/ids.ts';
import { MOST_ASKS } from './asks.ts';
import { isObject, type Edit, type JsonObject } from './document.ts';
import type { Exchange, Message } from './exchange.ts';
import { keep, type House } from './house.ts';
import type { Open } from './ledger.ts';
import { methodRow } from './methods.ts';
import { quietly } from './open-exchange.ts';
import type { OutcomeStatus, Outlet } from './ports.ts';
import type { Reason } from './reasons.ts';
import { outcomeRecord, roundRecord } from './records.ts';
import type { Deny } from './verdict.ts';

const ROUNDS = 10;

/** The ways outward that a round uses; given by outlet.ts, which uses rounds. */
export interface Ways {
  readonly outlet: Outlet;
  ask(open: Open, message: Message, answered: (answer: Message | Deny) => void, house: House): void;
  fail(open: Open, reason: Reason, detail: string, house: House): void;
}

/** Whether an answer of a modern server wants something of an agent that must be asked by requests. */
export function asksAgain({ era, row }: Exchange, { doc }: Message): boolean {
  if (era !== 'legacy' || row.opener !== 'agent') return false;
  const result = isObject(doc.value) ? doc.value['result'] : undefined;
  return isObject(result) && result['resultType'] === 'input_required';
}

export function goesOn(open: Open, message: Message, house: House, ways: Ways): void {
  open.rounds += 1;
  if (open.rounds > ROUNDS)
    return ways.fail(open, 'ask_not_possible', `the server asked ${ROUNDS} times and is not content`, house);
  const requests = requestsOf(message);
  if (requests.length > MOST_ASKS)
    return ways.fail(open, 'ask_not_possible', `inputRequests asks ${requests.length} things at once`, house);
  const wrong = requests.find(({ method }) => methodRow('server', method)?.wire !== 'request');
  if (wrong) return ways.fail(open, 'ask_not_possible', `inputRequests.${wrong.key} asks ${wrong.method}`, house);
  if (requests.length === 0) return again(open, message, new Map(), house, ways);
  const answers = new Map<string, string>();
  for (const { key, method, params } of requests) {
    const text = `{"jsonrpc":"2.0","id":0,"method":${JSON.stringify(method)}${params === undefined ? '' : `,"params":${params}`}}`;
    const asked: Message = { kind: 'opening', method, doc: house.codec.read(text), payload: 'params' };
    ways.ask(
      open,
      asked,
      (answer) => {
        const refused = take(answers, key, answer);
        if (refused !== undefined) ways.fail(open, 'ask_refused', refused, house);
        else if (answers.size === requests.length) again(open, message, answers, house, ways);
      },
      house,
    );
  }
}

interface Request {
  readonly key: string;
  readonly method: string;
  readonly params: string | undefined;
}

function requestsOf({ doc }: Message): readonly Request[] {
  const result = (doc.value as JsonObject)['result'] as JsonObject;
  const requests = result['inputRequests'];
  if (!isObject(requests)) return [];
  return Object.entries(requests).map(([key, request]) => ({
    key,
    method: isObject(request) && typeof request['method'] === 'string' ? request['method'] : '',
    params: doc.raw(['result', 'inputRequests', key, 'params']),
  }));
}

/** Keeps the exact text of an answer; gives back why there is none. */
function take(answers: Map<string, string>, key: string, answer: Message | Deny): string | undefined {
  if ('effect' in answer) return answer.detail ?? answer.reason;
  if (answer.payload === 'error') return answer.doc.raw(['error', 'message']) ?? 'the agent answered with an error';
  answers.set(key, answer.doc.raw(['result']) ?? '{}');
  return undefined;
}

/** The same request with the answers, as an attempt of its own below the agent's exchange. */
function again(open: Open, asked: Message, answers: ReadonlyMap<string, string>, house: House, ways: Ways): void {
  const { exchange } = open;
  if (exchange.state !== 'open') return;
  const round: Exchange = {
    ...exchange,
    id: newId(house.clock),
    parent: exchange,
    opened: house.clock.now(),
    opening: retried(exchange, asked, answers, house),
  };
  const send = (): void => {
    open.round = round;
    if (exchange.state !== 'open') return roundOver(open, 'cancelled', house);
    open.ended.push(() => roundOver(open, 'cancelled', house));
    open.flight = undefined;
    const flight = house.upstreams.open(round, ways.outlet, open.grant);
    open.flight ??= flight;
  };
  // Law 5: no call goes upstream before its attempt is kept.
  const lost = (error: unknown): void => ways.fail(open, 'record_unavailable', String(error), house);
  try {
    const kept = keep(house, roundRecord(round, house));
    if (kept instanceof Promise) kept.then(send, lost);
    else send();
  } catch (error) {
    lost(error);
  }
}

/** What the round came to at its server, whatever becomes of the agent's exchange. */
export function roundOver(open: Open, status: OutcomeStatus, house: House): void {
  const { round } = open;
  if (!round) return;
  open.round = undefined;
  void quietly(() => keep(house, outcomeRecord(round, status, undefined, house)), house);
}

function retried({ opening }: Exchange, { doc }: Message, answers: ReadonlyMap<string, string>, house: House): Message {
  const members = [...answers].map(([key, text]) => `${JSON.stringify(key)}:${text}`);
  const state = doc.raw(['result', 'requestState']);
  const edits: Edit[] = [{ op: 'set', path: ['params', 'inputResponses'], json: `{${members.join(',')}}` }];
  if (state !== undefined) edits.push({ op: 'set', path: ['params', 'requestState'], json: state });
  return { ...opening, doc: house.codec.edit(opening.doc, edits) };
}
