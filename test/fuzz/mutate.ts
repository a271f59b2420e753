/** Changes of byte strings for fuzzing, repeatable by their seed. */

/** Whole numbers below a bound. */
export type Random = (below: number) => number;

/** xorshift32: the same seed, the same run. */
export function random(seed: number): Random {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** What parsers stumble over. */
const WORDS = [
  '\\u0000',
  '\\ud800',
  '\\/',
  '\\',
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\n\n',
  '\r\n',
  '\r',
  '\n',
  '\0',
  '\ufeff',
  ' ',
  '\t',
  '-0',
  '1e400',
  '1.0',
  '01',
  '9007199254740993',
  '__proto__',
  '"id":1,',
  '"id":null',
  'null',
  'true',
  'data: ',
  'id: ',
  'retry: ',
  'event: message\n',
  '=?base64?',
  '?=',
  '"jsonrpc":"2.0"',
  '"result":{}',
  '"error":{"code":1,"message":""}',
  '"method":"ping"',
  '"_meta":{',
  '"progressToken":',
  'io.modelcontextprotocol/',
  '2026-07-28',
  '2025-11-25',
  'mcp-name:',
  '\u2028',
  '\u00e9',
  '\u{1f44b}',
].map((word) => Buffer.from(word));

const MOST = 4096;

/** One to four changes of `bytes`; `others` lend parts of theirs. */
export function mutated(bytes: Buffer, others: readonly Buffer[], next: Random): Buffer {
  let now: Buffer = bytes;
  for (let n = 1 + next(4); n > 0; n -= 1) now = change(now, others, next);
  return now.subarray(0, MOST);
}

function change(bytes: Buffer, others: readonly Buffer[], next: Random): Buffer {
  const at = next(bytes.length + 1);
  const to = Math.min(bytes.length, at + 1 + next(16));
  const other = others[next(others.length)] ?? bytes;
  switch (next(7)) {
    case 0:
      return put(bytes, at, to, Buffer.alloc(0));
    case 1:
      return put(bytes, at, at, WORDS[next(WORDS.length)]!);
    case 2:
      return put(bytes, at, to, WORDS[next(WORDS.length)]!);
    case 3:
      return put(bytes, at, at, bytes.subarray(at, to));
    case 4:
      return put(bytes, at, Math.min(bytes.length, at + 1), Buffer.from([next(256)]));
    case 5: {
      const from = next(other.length + 1);
      return put(bytes, at, to, other.subarray(from, from + 1 + next(32)));
    }
    default:
      return Buffer.concat([bytes.subarray(0, at), other.subarray(next(other.length + 1))]);
  }
}

function put(bytes: Buffer, from: number, to: number, what: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, from), what, bytes.subarray(to)]);
}
