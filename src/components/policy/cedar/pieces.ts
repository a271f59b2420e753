/** A text of many policies, cut into policies with their places, within what the engine survives. Comments stay with what follows. */

export interface Place {
  readonly file: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

/** One policy: its text, and where its first word stands in the file (in characters). */
export interface Piece {
  readonly text: string;
  readonly start: number;
}

export interface PieceFault {
  readonly offset: number;
  readonly what: string;
}

/**
 * Two hundred nested parentheses, or a thousand operators in a row, overflow the stack inside the engine's memory, which
 * corrupts it. These stay far below.
 */
export const LIMITS = { file: 2 ** 20, policy: 2 ** 14, depth: 40, operators: 250, policies: 10_000 } as const;

// Strings, comments, brackets, what makes the tree deeper, and everything else. Each alternative is linear.
const TOKEN = /"(?:[^"\\]|\\.)*"|\/\/[^\n]*|[([{]|[)\]}]|;|\|\||&&|[-+*!.]|\belse\b|\s+|\w+|[^]/g;

export function piecesOf(text: string): { readonly pieces: Piece[]; readonly faults: PieceFault[] } {
  if (text.length > LIMITS.file) return { pieces: [], faults: [{ offset: 0, what: 'a file of more than 1 MiB' }] };
  const cut = new Cut(text);
  for (const { 0: token, index } of text.matchAll(TOKEN)) cut.take(token, index);
  return cut.end();
}

class Cut {
  readonly #text: string;
  readonly #pieces: Piece[] = [];
  readonly #faults: PieceFault[] = [];
  #start: number | undefined;
  #depth = 0;
  #operators = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(token: string, at: number): void {
    if (/^(\s|\/\/)/.test(token)) return;
    this.#start ??= at;
    if (token === ';') return this.#finish(at + 1);
    if (/^[([{]/.test(token)) this.#depth += 1;
    else if (/^[)\]}]/.test(token)) this.#depth -= 1;
    else if (/^(\|\||&&|[-+*!.]|else)$/.test(token)) this.#operators += 1;
    if (this.#depth === LIMITS.depth) this.#fault(at, `more than ${LIMITS.depth - 1} nested brackets`);
    if (this.#operators === LIMITS.operators) this.#fault(at, `a policy of ${LIMITS.operators} operators or more`);
  }

  #fault(offset: number, what: string): void {
    this.#faults.push({ offset, what });
    // Once is enough for one policy.
    this.#operators += 1;
    this.#depth += 1;
  }

  #finish(end: number): void {
    const start = this.#start ?? end;
    if (end - start > LIMITS.policy) this.#fault(start, `a policy of more than ${LIMITS.policy / 1024} KiB`);
    this.#pieces.push({ text: this.#text.slice(start, end), start });
    if (this.#pieces.length === LIMITS.policies + 1) this.#fault(start, `more than ${LIMITS.policies} policies`);
    this.#start = undefined;
    this.#depth = 0;
    this.#operators = 0;
  }

  end(): { pieces: Piece[]; faults: PieceFault[] } {
    if (this.#start !== undefined) this.#faults.push({ offset: this.#start, what: 'a policy without its final `;`' });
    return { pieces: this.#pieces, faults: this.#faults };
  }
}

/** Places in one text; lines are counted once. */
export function placesIn(file: string, text: string): (offset: number) => Place {
  const starts = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)];
  return (offset) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { file, line: low + 1, column: offset - starts[low]! + 1 };
  };
}

/** The opposite: the offset of a place. */
export function offsetOf({ line, column }: Place, text: string): number {
  let start = 0;
  for (let passed = 1; passed < line; passed += 1) start = text.indexOf('\n', start) + 1;
  return start + column - 1;
}

/** The engine counts bytes of UTF-8, JavaScript counts UTF-16 units. */
export function unitsOf(text: string, bytes: number): number {
  return Buffer.from(text).subarray(0, bytes).toString().length;
}
