/** The JSON-RPC 2.0 envelope of one message, as MCP narrows it: no batches, named parameters, ids never null. */
import { isObject } from '../../gateway/document.ts';
import { isCleanName, parseJson } from './json.ts';
import type { Doc, Json, JsonLimits, Parsed, Path } from './json.ts';

/**
 * The source text of an id, so that `1` and `"1"` differ and large integers stay what they are. Strings are spelled
 * as JSON.stringify does: `"\u0061"` and `"a"` are one id, whatever a peer's serializer prefers.
 */
export type Id = string;

export type Params = { [key: string]: Json };

export interface RpcError {
  code: number;
  message: string;
  data?: Json;
}

export type Envelope =
  | { kind: 'request'; id: Id; method: string; params: Params | undefined }
  | { kind: 'notification'; method: string; params: Params | undefined }
  | { kind: 'result'; id: Id; result: Json }
  /** Without an id: the peer could not read that of the message it complains about. */
  | { kind: 'error'; id: Id | undefined; error: RpcError };

export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;

/**
 * A refusal: `message` may be told to the peer, `detail` is for records (neither quotes more than a member name).
 * `id` is there when it could be read with certainty.
 */
export interface Refusal {
  readonly ok: false;
  readonly code: typeof PARSE_ERROR | typeof INVALID_REQUEST;
  readonly message: string;
  readonly id: Id | undefined;
  readonly detail: string;
}

export type Read = { readonly ok: true; readonly doc: Doc; readonly envelope: Envelope } | Refusal;

/** Longer ids are refused: they are kept in tables and records for every message. */
const LONGEST_ID = 256;

/** JSON-RPC 2.0 §4–5, MCP schema `JSONRPCMessage`. Unknown members are kept and ignored. */
export function readMessage(bytes: Buffer, limits: JsonLimits): Read {
  const parsed = parseJson(bytes, limits);
  if (!parsed.ok) return unparsed(parsed);
  const { doc } = parsed;
  if (Array.isArray(doc.value)) {
    return invalid(undefined, 'a batch (an array of messages) stands where one message belongs; send them one by one');
  }
  if (!isObject(doc.value)) return invalid(undefined, 'the message is not a JSON object');
  return envelopeOf(doc, doc.value);
}

/**
 * The id at `path` (of a message, a cancelled request, a subscription, a progress token); undefined when there is none
 * or it is not a string or an integer in plain digits.
 */
export function idAt(doc: Doc, path: Path): Id | undefined {
  const raw = doc.raw(path);
  if (raw === undefined || raw.length > LONGEST_ID) return undefined;
  if (raw.startsWith('"')) return JSON.stringify(JSON.parse(raw));
  // `-0`, `1.0` and `1e2` are integers to some peers only
  return /^(?:0|-?[1-9][0-9]*)$/.test(raw) ? raw : undefined;
}

function envelopeOf(doc: Doc, message: Params): Read {
  const has = (name: string): boolean => Object.hasOwn(message, name);
  const id = has('id') ? idAt(doc, ['id']) : undefined;
  if (!has('jsonrpc') || message['jsonrpc'] !== '2.0') return invalid(id, 'the member "jsonrpc" must be "2.0"');
  // JSON-RPC 2.0 §5: null stands for the id that the peer could not read, in an error only
  const unreadId = has('id') && !(message['id'] === null && has('error'));
  if (unreadId && id === undefined) {
    return invalid(id, `the member "id" must be a string or an integer in plain digits, at most ${LONGEST_ID} long`);
  }
  const kinds = ['method', 'result', 'error'].filter(has);
  if (kinds.length !== 1) {
    return invalid(id, `exactly one of "method", "result" and "error" is needed, found ${kinds.length}`);
  }
  if (has('method')) return opening(doc, message, id);
  return has('result') ? resultOf(doc, message, id) : errorOf(doc, message, id);
}

function opening(doc: Doc, message: Params, id: Id | undefined): Read {
  const { method } = message;
  if (typeof method !== 'string' || !isCleanName(method)) {
    return invalid(
      id,
      'the member "method" must be a string, not empty, without control characters or lone surrogates',
    );
  }
  const params = Object.hasOwn(message, 'params') ? message['params'] : undefined;
  if (params !== undefined && !isObject(params)) return invalid(id, 'the member "params" must be an object');
  const envelope: Envelope =
    id === undefined ? { kind: 'notification', method, params } : { kind: 'request', id, method, params };
  return { ok: true, doc, envelope };
}

function resultOf(doc: Doc, message: Params, id: Id | undefined): Read {
  if (id === undefined) return invalid(id, 'a result needs the "id" of its request');
  return { ok: true, doc, envelope: { kind: 'result', id, result: message['result'] ?? null } };
}

function errorOf(doc: Doc, message: Params, id: Id | undefined): Read {
  const { error } = message;
  if (!isRpcError(error)) return invalid(id, 'the member "error" must hold an integer "code" and a string "message"');
  return { ok: true, doc, envelope: { kind: 'error', id, error } };
}

function isRpcError(value: Json | undefined): value is RpcError & Params {
  if (!isObject(value) || !Object.hasOwn(value, 'code') || !Object.hasOwn(value, 'message')) return false;
  return Number.isSafeInteger(value['code']) && typeof value['message'] === 'string';
}

/** What is not JSON at all is a parse error; what is JSON but not ours to accept, an invalid request. */
function unparsed(fault: Extract<Parsed, { ok: false }>): Refusal {
  const where = `at byte ${fault.offset}: ${fault.detail}`;
  switch (fault.fault) {
    case 'empty':
      return refuse(
        PARSE_ERROR,
        undefined,
        'Parse error: the message is empty; send one JSON-RPC message',
        fault.detail,
      );
    case 'utf8':
      return refuse(PARSE_ERROR, undefined, `Parse error ${where}; send valid UTF-8`, fault.detail);
    case 'bom':
      return refuse(PARSE_ERROR, undefined, `Parse error ${where}; send the JSON text without it`, fault.detail);
    case 'syntax':
      return refuse(PARSE_ERROR, undefined, `Parse error ${where}`, `${fault.detail}, at byte ${fault.offset}`);
    case 'duplicate_key':
      return invalid(undefined, `${where}; each name may stand once, because receivers disagree about which counts`);
    case 'too_deep':
      return invalid(undefined, `${where}; send a flatter document`);
    case 'too_large':
      return invalid(undefined, `the message is too large: ${fault.detail}`);
  }
}

function invalid(id: Id | undefined, detail: string): Refusal {
  return refuse(INVALID_REQUEST, id, `Invalid request: ${detail}`, detail);
}

function refuse(code: Refusal['code'], id: Id | undefined, message: string, detail: string): Refusal {
  return { ok: false, code, message, id, detail };
}

// Writers take JSON text, so that what was judged goes on as it is. They return text: the callers know whether
// bytes, an event or a line is needed.

export function writeResult(id: Id, json: string): string {
  return `{"jsonrpc":"2.0","id":${id},"result":${json}}`;
}

/** Without a readable id the member is left out: MCP's schema has no null there. */
export function writeError(id: Id | undefined, code: number, message: string, dataJson?: string): string {
  const idPart = id === undefined ? '' : `"id":${id},`;
  const dataPart = dataJson === undefined ? '' : `,"data":${dataJson}`;
  return `{"jsonrpc":"2.0",${idPart}"error":{"code":${code},"message":${JSON.stringify(message)}${dataPart}}}`;
}

export function writeRequest(id: Id, method: string, paramsJson?: string): string {
  return `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}${paramsPart(paramsJson)}}`;
}

export function writeNotification(method: string, paramsJson?: string): string {
  return `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${paramsPart(paramsJson)}}`;
}

function paramsPart(paramsJson: string | undefined): string {
  return paramsJson === undefined ? '' : `,"params":${paramsJson}`;
}
