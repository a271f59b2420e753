/**
 * 2025-11-25 lets a server answer with error -32042: visit these addresses, then call again (client/elicitation, URL mode).
 * 2026-07-28 has no such error; there it is a result that asks, and the retry is the call made again (basic/patterns/mrtr).
 */
import { isObject, type Edit, type Json } from './document.ts';
import type { Exchange, Message } from './exchange.ts';
import type { House } from './house.ts';

const URL_REQUIRED = '-32042';

/** The same closing as its agent knows it. */
export function asInputRequired({ era, row }: Exchange, message: Message, { codec }: House): Message {
  const { doc } = message;
  if (era !== 'modern' || !row.asks.includes('elicitation/create')) return message;
  if (message.payload !== 'error' || doc.raw(['error', 'code']) !== URL_REQUIRED) return message;
  const asked = elicitationsOf(doc.value);
  if (asked.length === 0) return message;
  const requests = asked.map((_, at) => {
    const params = doc.raw(['error', 'data', 'elicitations', at]) ?? '{}';
    return `"${keyOf(at)}":{"method":"elicitation/create","params":${params}}`;
  });
  const result = `{"resultType":"input_required","inputRequests":{${requests.join(',')}}}`;
  const read = codec.read(`{"jsonrpc":"2.0","id":0,"result":${result}}`);
  return { ...message, doc: codec.edit(read, asked.flatMap(forgetId)), payload: 'result' };
}

const keyOf = (at: number): string => `url-${at + 1}`;

function elicitationsOf(value: Json): readonly Json[] {
  const error = isObject(value) ? value['error'] : undefined;
  const data = isObject(error) ? error['data'] : undefined;
  const elicitations = isObject(data) ? data['elicitations'] : undefined;
  return Array.isArray(elicitations) && elicitations.every(isObject) ? elicitations : [];
}

/** Nothing names an elicitation any more: the retry says that it is over. */
function forgetId(elicitation: Json, at: number): Edit[] {
  if (!isObject(elicitation) || !Object.hasOwn(elicitation, 'elicitationId')) return [];
  return [{ op: 'remove', path: ['result', 'inputRequests', keyOf(at), 'params', 'elicitationId'] }];
}
