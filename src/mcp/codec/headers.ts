/**
 * Headers that mirror a message, so that something in front can route without reading the body (MCP 2026-07-28,
 * Streamable HTTP, "Standard headers" and "Custom headers from tool parameters"). The gateway compares those that
 * come in with the body, and computes those that go out anew.
 */
import { isObject } from '../../gateway/document.ts';
import type { Json } from './json.ts';

export interface Header {
  readonly name: string;
  readonly value: string;
}

type Members = { [key: string]: Json };

const PREFIX = '=?base64?';
const SUFFIX = '?=';

/** A header value that carries `text`: plain where HTTP would carry it unchanged, otherwise wrapped as Base64 of UTF-8. */
export function encodeHeaderValue(text: string): string {
  const plain = text !== '' && isPlain(text) && trimOws(text) === text && !looksWrapped(text);
  return plain ? text : PREFIX + Buffer.from(text, 'utf8').toString('base64') + SUFFIX;
}

/**
 * What a header value carries; undefined when it is malformed: bytes that a plain value must not hold, Base64 in any
 * but its one canonical spelling, or bytes inside that are not UTF-8.
 */
export function decodeHeaderValue(raw: string): string | undefined {
  const value = trimOws(raw);
  if (!looksWrapped(value)) return isPlain(value) ? value : undefined;
  if (value.length < PREFIX.length + SUFFIX.length) return undefined;
  const base64 = value.slice(PREFIX.length, -SUFFIX.length);
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) return undefined;
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined;
}

/** Optional white space of RFC 9110 §5.6.3 is SP and HTAB, and not all that `trim` takes away. */
export function trimOws(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isOws(value.charCodeAt(start))) start++;
  while (end > start && isOws(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

function isOws(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function isPlain(text: string): boolean {
  return /^[\t\u0020-\u007e]*$/.test(text);
}

function looksWrapped(text: string): boolean {
  return text.startsWith(PREFIX) && text.endsWith(SUFFIX);
}

/** A property of a tool's arguments that is mirrored as `Mcp-Param-{name}`. */
export interface ParamHeader {
  readonly name: string;
  /** Property names from the arguments down. */
  readonly path: readonly string[];
  readonly type: 'string' | 'integer' | 'boolean';
}

export type ParamHeaders =
  | { readonly ok: true; readonly headers: readonly ParamHeader[] }
  /** The tool definition is invalid, and must not be offered over HTTP. `reason` quotes the definition. */
  | { readonly ok: false; readonly reason: string };

const ANNOTATION = 'x-mcp-header';
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TYPES = ['string', 'integer', 'boolean'] as const;

/** Where a schema can hold other schemas without saying for certain which property a value belongs to. */
const SCHEMAS_BESIDE = ['items', 'contains', 'additionalProperties', 'unevaluatedProperties', 'unevaluatedItems'];
const SCHEMAS_OF_LOGIC = ['propertyNames', 'not', 'if', 'then', 'else', 'prefixItems', 'oneOf', 'anyOf', 'allOf'];
const SCHEMAS_BY_NAME = ['patternProperties', 'dependentSchemas', '$defs', 'definitions'];

/** Reads the `x-mcp-header` annotations of a tool's `inputSchema`, all or none. */
export function checkParamHeaders(schema: Json | undefined): ParamHeaders {
  const found: ParamHeader[] = [];
  const reason = collect(schema, [], true, found);
  return reason === undefined ? { ok: true, headers: found } : { ok: false, reason };
}

function collect(schema: Json | undefined, path: string[], certain: boolean, found: ParamHeader[]): string | undefined {
  if (!isObject(schema)) return undefined;
  const reason = Object.hasOwn(schema, ANNOTATION) ? annotation(schema, path, certain, found) : undefined;
  if (reason !== undefined) return reason;
  for (const [name, property] of Object.entries(membersOf(schema, 'properties'))) {
    const inner = collect(property, [...path, name], certain, found);
    if (inner !== undefined) return inner;
  }
  for (const branch of branches(schema)) {
    const inner = collect(branch, path, false, found);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function annotation(schema: Members, path: string[], certain: boolean, found: ParamHeader[]): string | undefined {
  const where = `${ANNOTATION} at ${JSON.stringify(path)}`;
  const name = schema[ANNOTATION];
  const type = TYPES.find((candidate) => candidate === schema['type']);
  if (!certain || path.length === 0) return `${where} is not reached through properties alone`;
  if (typeof name !== 'string' || !TOKEN.test(name)) return `${where} is not a header name (RFC 9110 token)`;
  if (type === undefined) return `${where} needs a property of type string, integer or boolean`;
  if (found.some((other) => other.name.toLowerCase() === name.toLowerCase())) {
    return `${where} repeats the header name ${JSON.stringify(name)}`;
  }
  found.push({ name, path, type });
  return undefined;
}

function branches(schema: Members): Json[] {
  const inner: Json[] = [];
  for (const keyword of [...SCHEMAS_BESIDE, ...SCHEMAS_OF_LOGIC]) {
    const value = own(schema, keyword);
    if (Array.isArray(value)) inner.push(...value);
    else if (value !== undefined) inner.push(value);
  }
  for (const keyword of SCHEMAS_BY_NAME) inner.push(...Object.values(membersOf(schema, keyword)));
  return inner;
}

/** The member of `params` that `Mcp-Name` mirrors, by method (tasks: extension `io.modelcontextprotocol/tasks`). */
const NAMED_BY: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

/**
 * The headers that must go with a message. `inputSchema` is that of the called tool, not to be changed afterwards. An argument that is absent, null
 * or not of its declared type has no header; an invalid definition has none at all.
 */
export function mirroredHeaders(method: string, params: Members | undefined, inputSchema: Json | undefined): Header[] {
  const headers: Header[] = [{ name: 'Mcp-Method', value: method }];
  const name = mirroredName(method, params);
  // a lone surrogate has no bytes that a header could carry
  if (name?.isWellFormed()) headers.push({ name: 'Mcp-Name', value: encodeHeaderValue(name) });
  if (method !== 'tools/call') return headers;
  for (const param of declared(inputSchema)) {
    const text = asText(argumentAt(params, param.path), param.type);
    if (text !== undefined) headers.push({ name: `Mcp-Param-${param.name}`, value: encodeHeaderValue(text) });
  }
  return headers;
}

/** What differs between the headers and the body. `header` is what came (undefined: nothing). */
export interface HeaderMismatch {
  readonly name: string;
  readonly header: string | undefined;
  readonly reason: 'missing' | 'malformed' | 'different' | 'unexpected';
}

/**
 * Compares the mirrored headers of a message with its body; undefined when they agree. `read` looks a header up by its
 * lower-case name. `Mcp-Param-*` that the schema does not declare are nobody's business here.
 */
export function headerMismatch(
  read: (name: string) => string | undefined,
  method: string,
  params: Members | undefined,
  inputSchema: Json | undefined,
): HeaderMismatch | undefined {
  const named = NAMED_BY.has(method);
  const mismatch =
    compareMethod(read('mcp-method'), method) ??
    (named ? compare('Mcp-Name', read('mcp-name'), mirroredName(method, params)) : undefined);
  if (mismatch !== undefined || method !== 'tools/call') return mismatch;
  for (const param of declared(inputSchema)) {
    const name = `Mcp-Param-${param.name}`;
    const found = compare(name, read(name.toLowerCase()), argumentAt(params, param.path));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether a decoded header value says the same as an argument. Text exactly; integers by value, so `42.0` is 42. */
export function saysSame(text: string, argument: Json): boolean {
  if (typeof argument === 'string') return text === argument;
  if (typeof argument === 'boolean') return text === String(argument);
  // beyond 2^53 two integers can share one number: such an argument has no header that could be trusted
  if (typeof argument !== 'number' || !Number.isSafeInteger(argument)) return false;
  return /^-?[0-9]{1,16}(?:\.0{1,16})?$/.test(text) && Number(text) === argument;
}

/** The method is never wrapped: whoever routes by it reads it as it stands. */
function compareMethod(header: string | undefined, method: string): HeaderMismatch | undefined {
  if (header !== undefined && trimOws(header) === method) return undefined;
  return { name: 'Mcp-Method', header, reason: header === undefined ? 'missing' : 'different' };
}

function compare(name: string, header: string | undefined, body: Json | undefined): HeaderMismatch | undefined {
  const absent = body === undefined || body === null;
  if (header === undefined) return absent ? undefined : { name, header, reason: 'missing' };
  if (absent) return { name, header, reason: 'unexpected' };
  const text = decodeHeaderValue(header);
  if (text === undefined) return { name, header, reason: 'malformed' };
  return saysSame(text, body) ? undefined : { name, header, reason: 'different' };
}

function mirroredName(method: string, params: Members | undefined): string | undefined {
  const member = NAMED_BY.get(method);
  const name = member === undefined ? undefined : own(params, member);
  return typeof name === 'string' ? name : undefined;
}

/** Schemas are pinned and never changed in place, so each is searched once. */
const declarations = new WeakMap<Members, readonly ParamHeader[]>();

function declared(inputSchema: Json | undefined): readonly ParamHeader[] {
  if (!isObject(inputSchema)) return [];
  const known = declarations.get(inputSchema);
  if (known !== undefined) return known;
  const checked = checkParamHeaders(inputSchema);
  const headers = checked.ok ? checked.headers : [];
  declarations.set(inputSchema, headers);
  return headers;
}

function argumentAt(params: Members | undefined, path: readonly string[]): Json | undefined {
  let value = own(params, 'arguments');
  for (const name of path) value = own(value, name);
  return value;
}

function asText(value: Json | undefined, type: ParamHeader['type']): string | undefined {
  switch (type) {
    case 'string':
      return typeof value === 'string' && value.isWellFormed() ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? String(value) : undefined;
    case 'integer':
      return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : undefined;
  }
}

function own(value: Json | undefined, name: string): Json | undefined {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function membersOf(schema: Members, name: string): Members {
  const value = own(schema, name);
  return isObject(value) ? value : {};
}

/** Headers that decide who, where or how long: two of one are two readings of one request. */
const CRITICAL = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-type',
  'dpop',
  'host',
  'last-event-id',
  'origin',
  'proxy-authorization',
  'transfer-encoding',
]);

/** The lower-case name of the first critical header (or `mcp-*`) that stands twice in Node's `rawHeaders`. */
export function duplicateHeader(rawHeaders: readonly string[]): string | undefined {
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (!CRITICAL.has(name) && !name.startsWith('mcp-')) continue;
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return undefined;
}
