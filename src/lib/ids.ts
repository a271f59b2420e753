/** Ids that sort by time and cannot be guessed. */
import { randomFillSync } from 'node:crypto';
import type { Clock } from './clock.ts';

// Crockford's base 32 in lower case: its order in ASCII is its order in value.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 22;

const pool = new Uint8Array(RANDOM_LENGTH * 256);
let used = pool.length;

/**
 * 32 characters of `[0-9a-z]`: 10 of time (milliseconds since the epoch, so ids of different milliseconds sort by
 * time), then 110 random bits from the system's generator.
 */
export function newId(clock: Clock): string {
  return encodeTime(clock.now()) + randomPart();
}

function encodeTime(milliseconds: number): string {
  let rest = Math.max(0, Math.floor(milliseconds));
  let text = '';
  for (let i = 0; i < TIME_LENGTH; i += 1) {
    text = ALPHABET.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function randomPart(): string {
  if (used + RANDOM_LENGTH > pool.length) refill();
  let text = '';
  for (const byte of pool.subarray(used, used + RANDOM_LENGTH)) text += ALPHABET.charAt(byte & 31);
  // What has been handed out must not be found in memory later.
  pool.fill(0, used, used + RANDOM_LENGTH);
  used += RANDOM_LENGTH;
  return text;
}

function refill(): void {
  randomFillSync(pool);
  used = 0;
}
