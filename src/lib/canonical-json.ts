/**
 * Canonical JSON: one text for one value, whatever the order of keys or the spelling of numbers (RFC 8785, JCS).
 * Everything that is hashed, pinned or approved is hashed in this form.
 */
import { createHash } from 'node:crypto';

/**
 * The canonical text of a JSON value.
 *
 * One step beyond RFC 8785: a `bigint` is written with all its digits. A parser that keeps integers above 2^53 apart
 * hands them over as `bigint`; rounding them to doubles would give two different calls one digest.
 *
 * @throws TypeError for what JSON or I-JSON (RFC 7493) cannot hold: NaN, infinities, lone surrogates, undefined,
 * functions, symbols, objects that are neither plain nor arrays.
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return canonicalString(value);
    case 'number':
      return canonicalNumber(value);
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? 'null' : canonicalContainer(value);
    case 'undefined':
    case 'function':
    case 'symbol':
      throw new TypeError(`JSON has no ${typeof value}`);
  }
}

/** SHA-256 over the canonical text, 64 hexadecimal digits. */
export function canonicalDigest(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

// RFC 8785 §3.2.2.2: what JSON.stringify escapes is what JCS escapes, but for lone surrogates, which JCS refuses.
function canonicalString(text: string): string {
  if (!text.isWellFormed()) throw new TypeError('JSON text with a lone surrogate has no canonical form');
  return JSON.stringify(text);
}

// RFC 8785 §3.2.2.3: ECMAScript's own serialization; -0 becomes 0.
function canonicalNumber(number: number): string {
  if (!Number.isFinite(number)) throw new TypeError(`JSON has no ${number}`);
  return JSON.stringify(number);
}

function canonicalContainer(value: object): string {
  if (Array.isArray(value)) return `[${Array.from(value, canonicalJson).join(',')}]`;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError('not a plain JSON object');
  return canonicalObject(value as Readonly<Record<string, unknown>>);
}

// RFC 8785 §3.2.3: keys in the order of their UTF-16 code units, which is how sort() compares.
function canonicalObject(object: Readonly<Record<string, unknown>>): string {
  const keys = Object.keys(object).sort();
  return `{${keys.map((key) => `${canonicalString(key)}:${canonicalJson(object[key])}`).join(',')}}`;
}
