/** Reading one page of a server's list: definitions with the bytes in which the server wrote them. */
import { createHash } from 'node:crypto';
import { isObject, type Doc, type Json, type JsonObject, type Path, type Span } from '../gateway/document.ts';
import type { Definition, DefinitionKind } from '../gateway/exchange.ts';
import { UpstreamFault } from '../gateway/ports.ts';
import { canonicalDigest } from '../lib/canonical-json.ts';
import { Lru } from '../lib/lru.ts';
import { isCleanName, parseJson } from '../mcp/codec/json.ts';
import { KINDS, own } from './kinds.ts';

export interface Declared extends Definition {
  /** Where the name's JSON text stands in `body`. */
  readonly nameAt: Span;
}

export interface Page {
  readonly items: readonly Declared[];
  /** The cursor of the page after this one; the empty string is one too (2026-07-28 server/utilities/pagination). */
  readonly next: string | undefined;
  readonly doc: Doc;
  /** Where the result stands in `doc`. */
  readonly at: Path;
  readonly result: JsonObject;
}

/** Names and URIs above this many bytes are left out: they are keys of the store, and stand in every record. */
const LONGEST_KEY = 2_048;

/** The page was parsed within this already. */
const DEEPEST = 1_024;

/** Called for each declaration that is left out; `detail` quotes nothing of the server. */
export type LeftOut = (detail: string) => void;

/** @throws UpstreamFault `upstream_garbage` when the answer is no list at all. */
export function readPage(server: string, kind: DefinitionKind, doc: Doc, leftOut: LeftOut): Page {
  const at = resultPath(doc);
  const result = at.length === 0 ? doc.value : own(doc.value, 'result');
  const { member, list } = KINDS[kind];
  const listed = own(result, member);
  if (!isObject(result) || !Array.isArray(listed)) throw new UpstreamFault('upstream_garbage', `${list}: no ${member}`);
  const items: Declared[] = [];
  for (const [index, value] of listed.entries()) {
    const item = declared(server, kind, doc, [...at, member, index], value);
    if (typeof item === 'string') leftOut(`${list}: ${item}`);
    else items.push(item);
  }
  return { items, next: nextCursor(result, list), doc, at, result };
}

function resultPath(doc: Doc): Path {
  return own(doc.value, 'jsonrpc') === '2.0' ? ['result'] : [];
}

function nextCursor(result: JsonObject, list: string): string | undefined {
  const next = own(result, 'nextCursor');
  if (next === undefined || next === null) return undefined;
  if (typeof next !== 'string') throw new UpstreamFault('upstream_garbage', `${list}: the cursor is not a string`);
  return next;
}

/** The definition, or why there is none. */
function declared(server: string, kind: DefinitionKind, doc: Doc, path: Path, value: Json): Declared | string {
  const { key } = KINDS[kind];
  const name = own(value, key);
  if (!isObject(value) || typeof name !== 'string' || !isCleanName(name)) return `a ${kind} without a usable ${key}`;
  if (Buffer.byteLength(name) > LONGEST_KEY) return `a ${kind} whose ${key} is longer than ${LONGEST_KEY} bytes`;
  const span = doc.span(path);
  const nameSpan = doc.span([...path, key]);
  if (span === undefined || nameSpan === undefined) return `a ${kind} that is not in the text`;
  const body = doc.bytes.subarray(span.start, span.end);
  const digest = digestOf(body, value);
  if (digest === undefined) return `a ${kind} with values that have no canonical form`;
  const nameAt = { start: nameSpan.start - span.start, end: nameSpan.end - span.start };
  return { server, kind, name, digest, body, value, nameAt };
}

/** Digests by the hash of the bytes they were made of: canonical form costs many times as much, and lists come again and again. */
const digests = new Lru<string, string>(50_000);

/** SHA-256 over the whole declaration (RFC 8785), with every digit of large integers: two schemas never share a digest. */
export function digestOf(body: Buffer, value: Json): string | undefined {
  const bytes = createHash('sha256').update(body).digest('base64');
  const known = digests.get(bytes);
  if (known !== undefined) return known;
  const digest = canonical(body, value);
  if (digest !== undefined) digests.set(bytes, digest);
  return digest;
}

function canonical(body: Buffer, value: Json): string | undefined {
  try {
    return canonicalDigest(/[0-9]{16}/.test(body.toString('latin1')) ? exact(body) : value);
  } catch {
    return undefined;
  }
}

/** The tree with every digit of its large integers, from the strict parser alone: names are never read twice in two ways. */
function exact(body: Buffer): unknown {
  const parsed = parseJson(body, { bytes: body.length, depth: DEEPEST });
  if (!parsed.ok) throw new Error(parsed.detail);
  return withDigits(parsed.doc.value, [], parsed.doc);
}

function withDigits(value: Json, path: Path, doc: Doc): unknown {
  if (Array.isArray(value)) return value.map((item, index) => withDigits(item, [...path, index], doc));
  if (isObject(value)) return mapped(value, path, doc);
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = doc.raw(path) ?? '';
  return /^-?[0-9]+$/.test(source) ? BigInt(source) : value;
}

function mapped(value: JsonObject, path: Path, doc: Doc): unknown {
  const entries = Object.entries(value).map(([key, item]) => [key, withDigits(item, [...path, key], doc)] as const);
  // Object.fromEntries defines members, so a name like `__proto__` stays a name.
  return Object.fromEntries(entries);
}
