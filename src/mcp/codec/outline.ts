/**
 * The fast pass over JSON text: what `JSON.parse` does not tell (RFC 8259).
 *
 * It keeps the last of two members with one name and says nothing. Counting the members that stand in the text and the
 * keys that stand in the tree tells whether that happened, without comparing a single name.
 *
 * And it cannot be trusted with escapes in names. In Node 24 and 26 it may take an escaped name for one
 * that an earlier document taught it: after `{"q":1,"\\":2}`, `{"q":1,"\u0061":2}` has a member `\` instead of `a`
 * (nodejs/node#63785, open). An attacker could make the gateway judge another name than the server reads, so documents
 * with escaped names are found here and read by `slow.ts`.
 */

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** Strings longer than this are crossed by a native search; below it the call costs more than the loop. */
const SHORT_STRING = 16;

export interface Outline {
  /** Members of all objects, at any depth. */
  readonly members: number;
  /** Deepest nesting of containers: 0 for a scalar, 1 for `[]`. */
  readonly depth: number;
  /** Some member has a name with a backslash in it. */
  readonly escapedName: boolean;
  /** For each member of the root object in order: start of its name, end of its name, place of the colon. */
  readonly top: readonly number[];
}

/**
 * Outlines text that may still be invalid: the result means something only once `JSON.parse` has accepted it.
 * `latin1` holds the same bytes as a string of one character each: offsets agree, and searching it is cheaper.
 */
export function outline(bytes: Buffer, latin1: string): Outline {
  const top: number[] = [];
  const length = bytes.length;
  let members = 0;
  let depth = 0;
  let deepest = 0;
  let nameStart = 0;
  let nameEnd = 0;
  let escapedName = false;
  let backslash = -1;
  for (let at = 0; at < length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      nameStart = at;
      at = closingQuote(bytes, latin1, at + 1);
      nameEnd = at + 1;
    } else if (byte === COLON) {
      members++;
      // searched again only once passed
      if (backslash < nameStart) backslash = next(latin1, '\\', nameStart);
      if (backslash < nameEnd) escapedName = true;
      if (depth === 1) top.push(nameStart, nameEnd, at);
    } else if (byte >= 0x5b) {
      // `[` and `{`, `]` and `}` differ in one bit; letters of true, false and null fall through
      const bracket = byte | 0x20;
      if (bracket === 0x7b) {
        if (++depth > deepest) deepest = depth;
      } else if (bracket === 0x7d) depth--;
    }
  }
  return { members, depth: deepest, escapedName, top };
}

function next(text: string, char: string, from: number): number {
  const at = text.indexOf(char, from);
  return at < 0 ? text.length : at;
}

/** The place of the quote that closes the string whose content starts at `from`; the length of the text if none does. */
export function closingQuote(bytes: Buffer, latin1: string | undefined, from: number): number {
  const length = bytes.length;
  const near = Math.min(from + SHORT_STRING, length);
  let at = from;
  while (at < near) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    at += byte === BACKSLASH ? 2 : 1;
  }
  return at >= length ? length : farQuote(bytes, latin1, at);
}

/** `from` is never in the middle of an escape, so the run of backslashes before a quote is counted back to it. */
function farQuote(bytes: Buffer, latin1: string | undefined, from: number): number {
  for (let low = from; ;) {
    const quote = latin1 === undefined ? bytes.indexOf(QUOTE, low) : latin1.indexOf('"', low);
    if (quote < 0) return bytes.length;
    let run = quote;
    while (run > low && bytes[run - 1] === BACKSLASH) run--;
    if ((quote - run) % 2 === 0) return quote;
    low = quote + 1;
  }
}

/** Own keys of all objects in a tree from `JSON.parse`. Recursion is as deep as the outline found the text to be. */
export function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) count += nestedKeys(value[index]);
    return count;
  }
  // for-in beats Object.keys by half here; a prototype made enumerable by someone only makes the count too large
  for (const key in value) count += 1 + nestedKeys((value as Record<string, unknown>)[key]);
  return count;
}

function nestedKeys(value: unknown): number {
  return typeof value === 'object' && value !== null ? countKeys(value) : 0;
}
