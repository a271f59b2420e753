import { LIMITS, StoreError } from '../store.ts';

/** The text if it may be part of a key. PostgreSQL holds no NUL, UTF-8 no lone surrogate: both are refused everywhere. */
export function keyPart(what: string, text: string, limit: number = LIMITS.short): string {
  if (text === '') throw new StoreError('STORE_BAD_NAME', `${what} is empty`);
  return storable(what, text, limit);
}

export function storable(what: string, text: string, limit: number): string {
  if (text.includes('\0') || !text.isWellFormed()) {
    throw new StoreError('STORE_BAD_NAME', `${what} holds NUL or a lone surrogate`);
  }
  if (Buffer.byteLength(text) > limit) throw new StoreError('STORE_BAD_NAME', `${what} is longer than ${limit} bytes`);
  return text;
}

/** An integer that both a double and a 64-bit column hold exactly. */
export function integer(what: string, number: number): number {
  if (!Number.isSafeInteger(number)) throw new StoreError('STORE_BAD_NAME', `${what} is not an integer`);
  return number;
}

/** The least text that sorts after everything that begins with `prefix`; undefined when there is none. */
export function endOfPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  return last === undefined ? undefined : String.fromCodePoint(...points, successor(last));
}

// The code points D800 to DFFF are surrogates: no text in UTF-8 holds one.
const successor = (point: number): number => (point === 0xd7ff ? 0xe000 : point + 1);
