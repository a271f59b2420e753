/**
 * A message as it stands on the agent's hop. Only what belongs to the hop is spliced: ids, the agent's own progress
 * token, and the members that one era demands and the other does not know. Every other byte goes on as it came.
 */
import { isObject } from '../../gateway/document.ts';
import type { Edit, JsonObject } from '../../gateway/document.ts';
import type { Exchange, Id, Message } from '../../gateway/exchange.ts';
import { reasonText } from '../../gateway/reasons.ts';
import type { Reason } from '../../gateway/reasons.ts';
import type { Deny } from '../../gateway/verdict.ts';
import { writeError, writeResult } from '../codec/envelope.ts';
import { splice } from '../codec/json.ts';

export const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';

export function renderClosing(exchange: Exchange, message: Message): Buffer {
  const id = exchange.requestId;
  if (id === undefined) throw new Error('a notification has no answer');
  const edits: Edit[] = [{ op: 'set', path: ['id'], json: id }];
  const result = message.payload === 'result' ? memberOf(message, 'result') : undefined;
  if (result !== undefined) edits.push(...resultEdits(exchange, result));
  else if (exchange.era === 'modern') edits.push(...errorEdits(message));
  return splice(message.doc, edits);
}

/** HTTP statuses that 2026-07-28 ties to error codes (basic/transports/streamable-http); an upstream's error has them on this hop too. */
const STATUS_OF_CODE: ReadonlyMap<unknown, number> = new Map([
  [-32020, 400],
  [-32021, 400],
  [-32022, 400],
  [-32601, 404],
]);

/** The status of the answer, as long as it is not a stream. */
export function closingStatus(exchange: Exchange, message: Message): number {
  if (exchange.era === 'legacy' || message.payload !== 'error') return 200;
  if (missingCapability(message) !== undefined) return 400;
  return STATUS_OF_CODE.get(memberOf(message, 'error')?.['code']) ?? 200;
}

function resultEdits(exchange: Exchange, result: JsonObject): Edit[] {
  if (exchange.era === 'legacy') return legacyEdits(result);
  const edits: Edit[] = [];
  if (!Object.hasOwn(result, 'resultType')) edits.push(setting(['result', 'resultType'], '"complete"'));
  if (exchange.row.cache && (result['resultType'] ?? 'complete') === 'complete') edits.push(...cacheEdits(result));
  if (isListen(exchange)) edits.push(...tagEdits('result', result, exchange));
  return edits;
}

/**
 * Errors of earlier versions as 2026-07-28 says them: resource not found is -32602 (SEP-2164); what SDK servers say when they
 * miss a capability that the agent did not declare is -32021 with the capability's name.
 */
function errorEdits(message: Message): Edit[] {
  const code = message.doc.raw(['error', 'code']);
  if (code === '-32002') return [replacing(['error', 'code'], '-32602')];
  // 2026-07-28 has no such code; with addresses to visit it was turned into a question before (url-asks.ts).
  if (code === '-32042') return [replacing(['error', 'code'], '-32603')];
  const missing = missingCapability(message);
  if (missing === undefined) return [];
  return [
    replacing(['error', 'code'], '-32021'),
    setting(['error', 'data'], `{"requiredCapabilities":{"${missing}":{}}}`),
  ];
}

/** The sentence of the TypeScript and Python SDKs; the first word after it names what is missing. */
const UNSUPPORTED =
  /^(?:MCP error -[0-9]{1,5}: )?Client does not support (sampling|elicitation|URL elicitation|listing roots|roots)(?![a-z])/;

function missingCapability(message: Message): 'sampling' | 'elicitation' | 'roots' | undefined {
  const error = memberOf(message, 'error');
  if (error?.['code'] === -32021 || typeof error?.['message'] !== 'string') return undefined;
  const word = UNSUPPORTED.exec(error['message'].slice(0, 120))?.[1];
  if (word === undefined) return undefined;
  if (word.endsWith('roots')) return 'roots';
  return word === 'sampling' ? 'sampling' : 'elicitation';
}

/** An upstream that gives no caching hints promised nothing: stale at once, for this caller only. */
function cacheEdits(result: JsonObject): Edit[] {
  const edits: Edit[] = [];
  if (!Object.hasOwn(result, 'ttlMs')) edits.push(setting(['result', 'ttlMs'], '0'));
  if (!Object.hasOwn(result, 'cacheScope')) edits.push(setting(['result', 'cacheScope'], '"private"'));
  return edits;
}

function legacyEdits(result: JsonObject): Edit[] {
  return result['resultType'] === 'complete' ? [{ op: 'remove', path: ['result', 'resultType'] }] : [];
}

/** Undefined when the event has no place on this hop: progress of a request that asked for none. */
export function renderEvent(exchange: Exchange, message: Message): Buffer | undefined {
  const params = memberOf(message, 'params');
  const edits: Edit[] = [];
  if (message.method === 'notifications/progress') {
    if (exchange.progressToken === undefined || params === undefined) return undefined;
    edits.push(setting(['params', 'progressToken'], exchange.progressToken));
  }
  if (isListen(exchange)) edits.push(...tagEdits('params', params, exchange));
  else if (isTagged(params)) edits.push({ op: 'remove', path: ['params', '_meta', SUBSCRIPTION] });
  return splice(message.doc, edits);
}

/** basic/patterns/subscriptions: every message of a listen names it, by the id of its request in the same JSON type. */
function tagEdits(at: 'params' | 'result', payload: JsonObject | undefined, exchange: Exchange): Edit[] {
  const tag = exchange.requestId!;
  const members = `{${JSON.stringify(SUBSCRIPTION)}:${tag}}`;
  if (payload === undefined) return [setting([at], `{"_meta":${members}}`)];
  if (!isObject(payload['_meta'])) return [setting([at, '_meta'], members)];
  return [setting([at, '_meta', SUBSCRIPTION], tag)];
}

function isTagged(params: JsonObject | undefined): boolean {
  const meta = params?.['_meta'];
  return isObject(meta) && Object.hasOwn(meta, SUBSCRIPTION);
}

export function renderAsk(child: Exchange, message: Message): Buffer {
  if (child.requestId === undefined) throw new Error('an ask needs an id on the hop of the agent');
  return splice(message.doc, [setting(['id'], child.requestId)]);
}

/** A listen that ends because the gateway stops is complete, not failed: the agent listens again elsewhere. */
export function renderFailure(exchange: Exchange, verdict: Deny): { status: number; json: string } {
  const { requestId } = exchange;
  if (isListen(exchange) && verdict.reason === 'draining' && requestId !== undefined) {
    const result = `{"resultType":"complete","_meta":{${JSON.stringify(SUBSCRIPTION)}:${requestId}}}`;
    return { status: 200, json: writeResult(requestId, result) };
  }
  return renderRefusal(verdict, requestId);
}

export function renderRefusal(verdict: Deny, requestId: Id | undefined): { status: number; json: string } {
  const text = reasonText(verdict.reason);
  const data = verdict.data === undefined ? undefined : JSON.stringify(verdict.data);
  return {
    status: statusOf(verdict.reason, requestId),
    json: writeError(requestId, text.code, verdict.tell ?? text.tell, data),
  };
}

/** In-band answers need a request to answer; without one only the status tells that something was refused. */
function statusOf(reason: Reason, requestId: Id | undefined): number {
  const { status, code } = reasonText(reason);
  if (status !== 200 || requestId !== undefined) return status;
  return code >= 400 && code < 600 ? code : 400;
}

export function isListen(exchange: Exchange): boolean {
  return exchange.row.method === 'subscriptions/listen';
}

function replacing(path: Edit['path'], json: string): Edit {
  return { op: 'replace', path, json };
}

function setting(path: Edit['path'], json: string): Edit {
  return { op: 'set', path, json };
}

function memberOf({ doc }: Message, name: Message['payload']): JsonObject | undefined {
  const value = isObject(doc.value) ? doc.value[name] : undefined;
  return isObject(value) ? value : undefined;
}
