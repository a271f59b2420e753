/**
 * A number for a JSON value, the same whatever the order of its keys or the spelling of its numbers. It tells equal calls apart
 * from others within one process, at a tenth of the cost of a canonical text and its SHA-256. Whoever makes two values collide only
 * has his own calls counted together, and the seed is new with every process.
 */
import { hash, randomInt } from 'node:crypto';
import type { Json } from '../../../gateway/document.ts';

const SEED = randomInt(2 ** 31);
/** Longer texts are hashed natively. */
const LONG = 512;

/** 32 bits: it is compared only among the calls of one run to one tool. */
export function fingerprint(value: Json | undefined): number {
  return mixed(value, SEED);
}

/** Whether the tree lost digits of an integer (`Doc.raw` has them): then two different calls could look alike. */
export function isRounded(value: Json | undefined): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(isRounded);
}

function mixed(value: Json | undefined, seed: number): number {
  if (typeof value === 'string') return text(value, seed ^ 0x51ed270b);
  if (typeof value === 'number') return text(String(value), seed ^ 0x2f7a1c3d);
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? list(value, seed ^ 0x165667b1) : members(value, seed ^ 0x27d4eb2f);
  }
  // null, true, false, and nothing at all
  return text(String(value), seed ^ 0x68e31da5);
}

function list(values: readonly Json[], seed: number): number {
  let sum = seed;
  for (const value of values) sum = finished(Math.imul(sum, 31) ^ mixed(value, seed));
  return finished(sum ^ values.length);
}

/** Added up, so that the order of keys is no matter; each value is mixed with its own key. */
function members(object: { readonly [key: string]: Json }, seed: number): number {
  let sum = 0;
  for (const key in object) sum = (sum + mixed(object[key], text(key, seed))) | 0;
  return finished(sum ^ seed);
}

function text(value: string, seed: number): number {
  if (value.length > LONG) return text(hash('sha256', value, 'base64url'), seed ^ value.length);
  let sum = seed;
  for (let index = 0; index < value.length; index += 1) sum = Math.imul(sum ^ value.charCodeAt(index), 0x01000193);
  return finished(sum ^ value.length);
}

/** The finalizer of MurmurHash3: every bit of the input reaches every bit of the output. */
function finished(sum: number): number {
  let bits = sum;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
