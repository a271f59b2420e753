/**
 * What an agent's message is, or why it cannot be read: the ladder of 2026-07-28 basic/transports/streamable-http, for
 * both eras on one endpoint. The earliest failing rung answers:
 * verb · media types · JSON-RPC shape · era · envelope · mirrored headers · method registry.
 */
import { isObject } from '../../gateway/document.ts';
import type { Doc, Json, JsonObject } from '../../gateway/document.ts';
import type { Era, Exchange, Id, Message } from '../../gateway/exchange.ts';
import { methodRow } from '../../gateway/methods.ts';
import type { MethodRow } from '../../gateway/methods.ts';
import type { Arrival, Reader, Reading } from '../../gateway/ports.ts';
import { deny } from '../../gateway/verdict.ts';
import type { Deny } from '../../gateway/verdict.ts';
import { readMessage } from '../codec/envelope.ts';
import type { Envelope } from '../codec/envelope.ts';
import { checkParamHeaders, headerMismatch, trimOws } from '../codec/headers.ts';
import { parseJson } from '../codec/json.ts';
import type { JsonLimits } from '../codec/json.ts';
import { isLegacy, isModern, LEGACY, MODERN, negotiate, UNNAMED } from './revisions.ts';

type Opening = Extract<Envelope, { kind: 'request' | 'notification' }>;
type Closing = Extract<Envelope, { kind: 'result' | 'error' }>;
type Readable = Extract<Reading, { ok: true }>;

export const META = 'io.modelcontextprotocol/';
const VERSION_KEY = `${META}protocolVersion`;
const CAPS_KEY = `${META}clientCapabilities`;
const INFO_KEY = `${META}clientInfo`;
const LEVEL_KEY = `${META}logLevel`;
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

/** `limits.bytes` is the size of one message; the same limit is given to `Arrival.body`. */
export function createReader(limits: JsonLimits): Reader {
  return {
    read: (arrival, bytes) => (arrival.verb === 'POST' ? posted(arrival, bytes, limits) : verb(arrival)),
  };
}

// ---- GET and DELETE: the legacy transport ----------------------------------------------------------------------

function verb(arrival: Arrival): Reading {
  const version = versionHeader(arrival);
  // Without a session there is nothing to stream or to end. 405 is what clients that try a GET first understand.
  if (isModern(version)) return refused(deny('verb_not_allowed'), undefined, 'modern');
  const sessionToken = arrival.header('mcp-session-id');
  if (sessionToken === undefined) return refused(deny('verb_not_allowed'), undefined, 'legacy');
  if (version !== undefined && !isLegacy(version)) return refused(unsupported(version, LEGACY), undefined, 'legacy');
  if (arrival.verb === 'GET' && !accepts(arrival.header('accept'), 'text', 'event-stream')) {
    return refused(deny('not_acceptable'), undefined, 'legacy');
  }
  const message = arrival.verb === 'GET' ? STREAM : END;
  return { ...NOTHING, era: 'legacy', version: version ?? UNNAMED, requestId: undefined, message, sessionToken };
}

const NOTHING = {
  ok: true,
  kind: 'opening',
  caps: {},
  clientInfo: undefined,
  progressToken: undefined,
  logLevel: undefined,
} as const;

const STREAM = synthetic('session/stream');
const END = synthetic('session/end');

/** A verb has no JSON-RPC text of its own; the stages are given one that says the same. */
function synthetic(method: string): Message {
  const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', method, params: {} }));
  const parsed = parseJson(bytes, { bytes: bytes.length, depth: 2 });
  if (!parsed.ok) throw new Error(parsed.detail);
  return { kind: 'opening', method, doc: parsed.doc, payload: 'params' };
}

// ---- POST ------------------------------------------------------------------------------------------------------

function posted(arrival: Arrival, bytes: Buffer, limits: JsonLimits): Reading {
  const header = versionHeader(arrival);
  const guess: Era = isModern(header) ? 'modern' : 'legacy';
  const media = mediaTypes(arrival);
  if (media !== undefined) return refused(media, undefined, guess);
  const read = readMessage(bytes, limits);
  if (!read.ok) {
    const reason = read.code === -32700 ? 'malformed' : 'not_json_rpc';
    return refused(deny(reason, { tell: read.message, detail: read.detail }), read.id, guess);
  }
  const { doc, envelope } = read;
  if (envelope.kind === 'result' || envelope.kind === 'error') return closing(arrival, doc, envelope, header);
  return opening(arrival, doc, envelope, header);
}

/**
 * Every client measured sends both types in Accept, of either era, so one of both is refused as the SDK servers do;
 * wildcards and an absent header (RFC 9110 §12.5.1: anything) are tolerated.
 */
function mediaTypes(arrival: Arrival): Deny | undefined {
  const type = trimOws((arrival.header('content-type') ?? '').split(';', 1)[0]!);
  if (type.toLowerCase() !== 'application/json') return deny('media_type_unsupported');
  return acceptsBoth(arrival.header('accept')) ? undefined : deny('not_acceptable');
}

/** Clients send the same header with every request. */
let last = { accept: undefined as string | undefined, both: true };

function acceptsBoth(accept: string | undefined): boolean {
  if (accept === last.accept) return last.both;
  const both = accepts(accept, 'application', 'json') && accepts(accept, 'text', 'event-stream');
  last = { accept, both };
  return both;
}

function accepts(header: string | undefined, type: string, subtype: string): boolean {
  if (header === undefined) return true;
  return header.split(',').some((range) => {
    const name = trimOws(range.split(';', 1)[0]!).toLowerCase();
    return name === `${type}/${subtype}` || name === `${type}/*` || name === '*/*';
  });
}

function versionHeader(arrival: Arrival): string | undefined {
  const value = arrival.header('mcp-protocol-version');
  return value === undefined ? undefined : trimOws(value);
}

/** Only legacy agents are asked anything, so only they post answers. */
function closing(arrival: Arrival, doc: Doc, envelope: Closing, header: string | undefined): Reading {
  const { id } = envelope;
  const says = 'An answer was posted; nobody asks in this protocol version.';
  if (isModern(header)) return refused(deny('not_json_rpc', { tell: says }), id, 'modern');
  if (header !== undefined && !isLegacy(header)) return refused(unsupported(header, LEGACY), id, 'legacy');
  if (id === undefined) return refused(deny('answer_unexpected', { detail: 'an error without id' }), id, 'legacy');
  const message: Message = { kind: 'closing', method: '', doc, payload: envelope.kind };
  const sessionToken = arrival.header('mcp-session-id');
  const version = header ?? UNNAMED;
  return { ...NOTHING, kind: 'closing', era: 'legacy', version, requestId: id, message, sessionToken };
}

function opening(arrival: Arrival, doc: Doc, envelope: Opening, header: string | undefined): Reading {
  const meta = metaOf(envelope.params);
  const era = eraOf(envelope, meta, header);
  const id = envelope.kind === 'request' ? envelope.id : undefined;
  if (typeof era === 'object') return refused(era, id, isModern(header) ? 'modern' : 'legacy');
  return era === 'modern' ? modern(arrival, doc, envelope, meta) : legacy(arrival, doc, envelope, header);
}

function metaOf(params: JsonObject | undefined): JsonObject {
  const meta = params === undefined ? undefined : own(params, '_meta');
  return isObject(meta) ? meta : {};
}

/**
 * An explicit header decides. With a legacy header only a `_meta` that names another version contradicts it: the ChatGPT
 * connector sends other reserved keys beside `2025-11-25` (stacklok/toolhive#6188).
 */
function eraOf(envelope: Opening, meta: JsonObject, header: string | undefined): Era | Deny {
  const body = own(meta, VERSION_KEY);
  const named = typeof body === 'string' ? body : undefined;
  if (envelope.method === 'initialize' && (header === undefined || isLegacy(header))) return 'legacy';
  // With a modern envelope as well nothing disagrees: it is a method that the revision removed.
  if (envelope.method === 'initialize' && isModern(header) && named !== header) {
    return mismatch('MCP-Protocol-Version', header, 'initialize belongs to earlier versions');
  }
  if (header === undefined) {
    const claims = body !== undefined || own(meta, CAPS_KEY) !== undefined;
    return claims ? mismatch('MCP-Protocol-Version', undefined, named ?? '') : 'legacy';
  }
  if (named !== undefined && named !== header) return mismatch('MCP-Protocol-Version', header, named);
  if (isModern(header)) return 'modern';
  return isLegacy(header) ? 'legacy' : unsupported(header, MODERN);
}

function unsupported(requested: string, supported: readonly string[]): Deny {
  return deny('version_unsupported', { data: { supported: [...supported], requested } });
}

function mismatch(name: string, header: string | undefined, body: string): Deny {
  const data = { mismatch: { name, header: header ?? '(missing)', body } };
  return deny('header_mismatch', { tell: `Header ${name} and body disagree.`, data });
}

// ---- modern ----------------------------------------------------------------------------------------------------

function modern(arrival: Arrival, doc: Doc, envelope: Opening, meta: JsonObject): Reading {
  const id = envelope.kind === 'request' ? envelope.id : undefined;
  const verdict = envelopeFault(envelope, meta) ?? mirrorFault(arrival, envelope) ?? registered(envelope, 'modern');
  if (verdict !== undefined) return refused(verdict, id, 'modern');
  const level = own(meta, LEVEL_KEY);
  const caps = own(meta, CAPS_KEY);
  const info = own(meta, INFO_KEY);
  return {
    ...common(doc, envelope),
    era: 'modern',
    version: versionHeader(arrival)!,
    sessionToken: undefined,
    caps: isObject(caps) ? caps : {},
    clientInfo: isObject(info) ? info : undefined,
    logLevel: typeof level === 'string' ? level : undefined,
  };
}

/** basic/index#meta: required on every request. Notifications carry nothing that could be checked. */
function envelopeFault(envelope: Opening, meta: JsonObject): Deny | undefined {
  if (envelope.kind === 'notification') return undefined;
  const missing = missingIn(envelope.params, meta);
  if (missing.length > 0) return deny('envelope_missing', { data: { envelope: { missing } } });
  const level = own(meta, LEVEL_KEY);
  if (level === undefined || LEVELS.includes(level as string)) return undefined;
  return deny('params_invalid', { tell: 'Invalid params: the log level is unknown.' });
}

function missingIn(params: JsonObject | undefined, meta: JsonObject): string[] {
  if (!isObject(own(params ?? {}, '_meta'))) return ['_meta'];
  const missing: string[] = [];
  if (typeof own(meta, VERSION_KEY) !== 'string') missing.push(VERSION_KEY);
  if (!isObject(own(meta, CAPS_KEY))) missing.push(CAPS_KEY);
  return missing;
}

/** Whoever processes the body must compare (streamable-http, "Server behavior for custom headers"). */
function mirrorFault(arrival: Arrival, { kind, method, params }: Opening): Deny | undefined {
  if (kind === 'notification' && arrival.header('mcp-method') === undefined) return undefined;
  return mirrored((name) => arrival.header(name), method, params, undefined);
}

function mirrored(
  header: (name: string) => string | undefined,
  method: string,
  params: JsonObject | undefined,
  schema: Json | undefined,
): Deny | undefined {
  const found = headerMismatch(header, method, params, schema);
  if (found === undefined) return undefined;
  const data = { mismatch: { name: found.name, header: found.header ?? '(missing)', reason: found.reason } };
  return deny('header_mismatch', { tell: `Header ${found.name} and body disagree.`, data });
}

/**
 * Compares `Mcp-Param-*` with the arguments of a modern `tools/call`, by the schema of the tool that was resolved. A value
 * without its header, a header without its value and a different value are refused; undeclared ones are nobody's business.
 */
export function checkParams(arrival: Arrival, exchange: Exchange): Deny | undefined {
  if (exchange.era !== 'modern' || exchange.row.method !== 'tools/call') return undefined;
  const schema = schemaOf(exchange);
  if (schema === undefined || !declaresHeaders(schema)) return undefined;
  const message = exchange.opening.doc.value;
  const params = isObject(message) ? own(message, 'params') : undefined;
  const args = isObject(params) ? own(params, 'arguments') : undefined;
  return mirrored(paramsOnly(arrival), 'tools/call', { arguments: args ?? null }, schema);
}

/** Mcp-Method and Mcp-Name were compared while reading; the opening may by now name the tool as its server does. */
function paramsOnly(arrival: Arrival): (name: string) => string | undefined {
  return (name) => {
    if (name === 'mcp-method') return 'tools/call';
    return name.startsWith('mcp-param-') ? arrival.header(name) : undefined;
  };
}

function schemaOf({ target }: Exchange): JsonObject | undefined {
  const definition = target.of === 'definition' ? target.definition : undefined;
  const schema = definition === undefined ? undefined : own(definition.value, 'inputSchema');
  return isObject(schema) ? schema : undefined;
}

/** Most tools mirror nothing: their schema is walked once. */
const declaring = new WeakMap<JsonObject, boolean>();

function declaresHeaders(schema: JsonObject): boolean {
  const known = declaring.get(schema);
  if (known !== undefined) return known;
  const checked = checkParamHeaders(schema);
  const declares = checked.ok && checked.headers.length > 0;
  declaring.set(schema, declares);
  return declares;
}

// ---- legacy ----------------------------------------------------------------------------------------------------

function legacy(arrival: Arrival, doc: Doc, envelope: Opening, header: string | undefined): Reading {
  const id = envelope.kind === 'request' ? envelope.id : undefined;
  const verdict = registered(envelope, 'legacy');
  if (verdict !== undefined) return refused(verdict, id, 'legacy');
  const first = envelope.method === 'initialize' ? (envelope.params ?? {}) : undefined;
  const caps = first === undefined ? undefined : own(first, 'capabilities');
  const info = first === undefined ? undefined : own(first, 'clientInfo');
  return {
    ...common(doc, envelope),
    era: 'legacy',
    version: first === undefined ? (header ?? UNNAMED) : negotiate(own(first, 'protocolVersion')),
    sessionToken: first === undefined ? arrival.header('mcp-session-id') : undefined,
    caps: isObject(caps) ? caps : {},
    clientInfo: isObject(info) ? info : undefined,
    logLevel: undefined,
  };
}

// ---- both ------------------------------------------------------------------------------------------------------

/** A method of the other era, an HTTP verb's row and a request sent as a notification are unknown. */
function registered(envelope: Opening, era: Era): Deny | undefined {
  const row = methodRow('agent', envelope.method);
  const known = row !== undefined && row.eras.includes(era) && row.wire === envelope.kind;
  if (known) return undefined;
  // JSON-RPC 2.0 §4.1: a notification is never answered
  if (envelope.kind === 'notification') return deny('event_unexpected', { detail: `notification ${envelope.method}` });
  return deny(era === 'modern' ? 'method_unknown' : 'method_unknown_legacy', { detail: envelope.method });
}

function common(
  doc: Doc,
  envelope: Opening,
): Pick<Readable, 'ok' | 'kind' | 'requestId' | 'message' | 'progressToken'> {
  const { method } = envelope;
  const kind = kindOf(envelope, methodRow('agent', method));
  return {
    ok: true,
    kind,
    requestId: envelope.kind === 'request' ? envelope.id : undefined,
    message: { kind, method, doc, payload: 'params' },
    progressToken: progressToken(doc, envelope),
  };
}

/** A notification about another exchange is its event; any other stands for itself. */
function kindOf(envelope: Opening, row: MethodRow | undefined): 'opening' | 'event' {
  return envelope.kind === 'notification' && row?.target === 'exchange' ? 'event' : 'opening';
}

/** Kept as text: the agent gets back exactly what it sent. */
function progressToken(doc: Doc, envelope: Opening): string | undefined {
  const token = own(metaOf(envelope.params), 'progressToken');
  const usable = typeof token === 'string' || typeof token === 'number';
  return usable ? doc.raw(['params', '_meta', 'progressToken']) : undefined;
}

function refused(verdict: Deny, requestId: Id | undefined, era: Era): Reading {
  return { ok: false, verdict, requestId, era };
}

function own(value: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}
