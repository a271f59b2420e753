/**
 * Asks within a result (2026-07-28 basic/patterns/mrtr): a modern server cannot send requests, it returns them. Each is a
 * child exchange all the same: judged by its own row and action, recorded as an attempt when it goes out, and as an outcome
 * when the retry brings its answer.
 */
import { newId } from '../lib/ids.ts';
import { isObject, type Json } from './document.ts';
import type { Exchange, Message } from './exchange.ts';
import { methodRow, type MethodRow } from './methods.ts';
import type { Clock } from './ports.ts';

export interface EmbeddedAsk {
  /** The server's key in `inputRequests`, unique within the result. */
  readonly key: string;
  /** Id of the child exchange. */
  readonly id: string;
  readonly row: MethodRow;
}

/** Questions that may be open below one request; a person or model answers each, and more would be a flood. */
export const MOST_ASKS = 32;

/** The asks of a closing; what is wrong with them is given back as text. */
export function embeddedAsks(message: Message, clock: Clock): readonly EmbeddedAsk[] | string {
  const requests = inputRequests(message.doc.value);
  const count = Object.keys(requests).length;
  if (count > MOST_ASKS) return `inputRequests asks ${count} things at once, and at most ${MOST_ASKS} are passed on`;
  const asks: EmbeddedAsk[] = [];
  for (const [key, request] of Object.entries(requests)) {
    const method = isObject(request) ? request['method'] : undefined;
    const row = typeof method === 'string' ? methodRow('server', method) : undefined;
    if (row?.wire !== 'request') return `inputRequests.${key} asks ${JSON.stringify(method)}`;
    asks.push({ key, id: newId(clock), row });
  }
  return asks;
}

function inputRequests(value: Json): { [key: string]: Json } {
  const result = isObject(value) ? value['result'] : undefined;
  const requests = isObject(result) && result['resultType'] === 'input_required' ? result['inputRequests'] : undefined;
  return isObject(requests) ? requests : {};
}

/** The key of an ask that the gateway itself puts into `inputRequests`. */
export function askKey({ exchange }: { readonly exchange: Exchange }): string {
  return `ask-${exchange.requestId}`;
}

/** Which of the asks that a retry continues it answers: key → child exchange. */
export function answeredAsks(
  message: Message,
  asked: Readonly<Record<string, string>>,
): readonly { readonly key: string; readonly id: string }[] {
  const params = isObject(message.doc.value) ? message.doc.value['params'] : undefined;
  const responses = isObject(params) ? params['inputResponses'] : undefined;
  if (!isObject(responses)) return [];
  return Object.entries(asked).flatMap(([key, id]) => (Object.hasOwn(responses, key) ? [{ key, id }] : []));
}
