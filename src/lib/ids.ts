/** Ids that sort by time and cannot be guessed. */
import { randomFillSync } from 'node:crypto';
import type { Clock } from './clock.ts';

// Crockford's base 32 in lower case: its order in ASCII is its order in value.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 22;

const LETTERS = Buffer.from(ALPHABET, 'latin1');

/** Letters of ids to come. */
const pool = Buffer.alloc(RANDOM_LENGTH * 256);
let used = pool.length;

/** Many ids are made in one millisecond. */
let lastTime = -1;
let lastText = '';

/**
 * 32 characters of `[0-9a-z]`: 10 of time (milliseconds since the epoch, so ids of different milliseconds sort by
 * time), then 110 random bits from the system's generator.
 */
export function newId(clock: Clock): string {
  const now = clock.now();
  if (now !== lastTime) {
    lastText = encodeTime(now);
    lastTime = now;
  }
  return lastText + randomPart();
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
  const text = pool.toString('latin1', used, used + RANDOM_LENGTH);
  // What has been handed out must not be found in memory later.
  pool.fill(0, used, used + RANDOM_LENGTH);
  used += RANDOM_LENGTH;
  return text;
}

function refill(): void {
  randomFillSync(pool);
  for (let at = 0; at < pool.length; at += 1) pool[at] = LETTERS[pool[at]! & 31]!;
  used = 0;
}
