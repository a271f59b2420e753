/**
 * The one strict JSON parser of the gateway: what was searched is what is sent. Refused are duplicate member names at
 * any depth and in any spelling, invalid UTF-8, a byte order mark, anything after the document, and documents over
 * the limits. Everything else that RFC 8259 allows survives, byte for byte.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { Document } from './document.ts';
import type { Doc, Json } from './document.ts';
import { countKeys, outline } from './outline.ts';
import { invalidUtf8At, readSlowly } from './slow.ts';
import type { Finding, JsonFault } from './slow.ts';

export type { JsonFault } from './slow.ts';
export type { Doc, Json, Path, Span } from './document.ts';
export { splice } from './splice.ts';
export type { Edit } from './splice.ts';

export interface JsonLimits {
  /** Size of a whole document in bytes. */
  readonly bytes: number;
  /** Nesting of arrays and objects: 0 allows scalars only, 1 allows `[]`. A few hundred at most: trees are recursed. */
  readonly depth: number;
}

/** `offset` is a byte offset; `detail` quotes at most one character or one member name of the document. */
export type Parsed =
  | { readonly ok: true; readonly doc: Doc }
  | { readonly ok: false; readonly fault: JsonFault; readonly offset: number; readonly detail: string };

/** Reads one document. `bytes` belong to it from now on and must not change. */
export function parseJson(bytes: Buffer, limits: JsonLimits): Parsed {
  const wrongSize = sizeFault(bytes, limits);
  if (wrongSize !== undefined) return { ok: false, ...wrongSize };
  const ascii = isAscii(bytes);
  const unreadable = ascii ? undefined : encodingFault(bytes);
  if (unreadable !== undefined) return { ok: false, ...unreadable };
  const latin1 = bytes.toString('latin1');
  const { members, depth, escapedName, top } = outline(bytes, latin1);
  // before JSON.parse: a million brackets are refused before they become a million arrays
  if (depth > limits.depth) return refusal(bytes, limits, 'too_deep');
  if (escapedName) return slowly(bytes, limits, top);
  let value: Json;
  try {
    value = JSON.parse(ascii ? latin1 : bytes.toString('utf8')) as Json;
  } catch {
    return refusal(bytes, limits, 'syntax');
  }
  if (countKeys(value) !== members) return refusal(bytes, limits, 'duplicate_key');
  return { ok: true, doc: new Document(bytes, value, top) };
}

function sizeFault(bytes: Buffer, limits: JsonLimits): Finding | undefined {
  if (bytes.length === 0) return { fault: 'empty', offset: 0, detail: 'there is no text at all' };
  if (bytes.length <= limits.bytes) return undefined;
  return { fault: 'too_large', offset: limits.bytes, detail: `${bytes.length} bytes, at most ${limits.bytes} allowed` };
}

function encodingFault(bytes: Buffer): Finding | undefined {
  if (!isUtf8(bytes)) return { fault: 'utf8', offset: invalidUtf8At(bytes), detail: 'these bytes are not UTF-8' };
  if (bytes[0] !== 0xef || bytes[1] !== 0xbb || bytes[2] !== 0xbf) return undefined;
  return { fault: 'bom', offset: 0, detail: 'the text starts with a byte order mark' };
}

function slowly(bytes: Buffer, limits: JsonLimits, top: readonly number[]): Parsed {
  const read = readSlowly(bytes, limits.depth);
  return read.ok ? { ok: true, doc: new Document(bytes, read.value, top) } : { ok: false, ...read.found };
}

/** The fast pass only knows that something is wrong; should the slow one disagree, the document is refused all the same. */
function refusal(bytes: Buffer, limits: JsonLimits, suspected: JsonFault): Parsed {
  const read = readSlowly(bytes, limits.depth);
  if (!read.ok) return { ok: false, ...read.found };
  return { ok: false, fault: suspected, offset: 0, detail: 'the document is not strict JSON' };
}

/** Lone surrogates are legal in JSON values when escaped, and have no UTF-8 form (RFC 8259 §8.2). */
export function hasLoneSurrogate(text: string): boolean {
  return !text.isWellFormed();
}

// C0, DEL and C1: they hide in logs and terminals, and cut names short in programs written in C
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Whether `text` can be the name of something (method, tool, prompt, resource): not empty, no control characters, no lone surrogates. */
export function isCleanName(text: string): boolean {
  return text !== '' && !CONTROL.test(text) && text.isWellFormed();
}
