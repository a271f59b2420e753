/**
 * The strict reader that does everything itself (RFC 8259): it says what stands where when a document is refused, and
 * it reads the documents that `JSON.parse` cannot be trusted with (see `outline.ts`).
 */
import type { Json } from './document.ts';
import { closingQuote } from './outline.ts';

export type JsonFault = 'empty' | 'too_large' | 'utf8' | 'bom' | 'syntax' | 'duplicate_key' | 'too_deep';

/** `offset` is a byte offset. `detail` quotes at most one character or one name of the document. */
export interface Finding {
  readonly fault: JsonFault;
  readonly offset: number;
  readonly detail: string;
}

export type SlowRead = { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly found: Finding };

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORDS: readonly (readonly [string, Json])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];
const ESCAPES = '"\\/bfnrt';
const SHOWN_NAME = 40;

/** Reads valid UTF-8 text, nested `depth` levels at most: the tree, or the first thing that is wrong. */
export function readSlowly(bytes: Buffer, depth: number): SlowRead {
  return new Reader(bytes, depth).document();
}

/** The offset of the first byte that is not UTF-8 (or of the sequence it breaks). */
export function invalidUtf8At(bytes: Buffer): number {
  const repaired = Buffer.from(bytes.toString('utf8'), 'utf8');
  let at = 0;
  while (at < bytes.length && bytes[at] === repaired[at]) at++;
  return at;
}

/** Each method returns the place after what it read and leaves the value behind, or -1 once something is found. */
class Reader {
  readonly #bytes: Buffer;
  /** One character per byte, so that every place is a byte offset. */
  readonly #text: string;
  readonly #limit: number;
  #value: Json = null;
  #found: Finding | undefined;

  constructor(bytes: Buffer, limit: number) {
    this.#bytes = bytes;
    this.#text = bytes.toString('latin1');
    this.#limit = limit;
  }

  document(): SlowRead {
    const end = this.#any(this.#space(0), 0);
    if (end >= 0) {
      const rest = this.#space(end);
      if (rest < this.#text.length) this.#expected('nothing more after the document', rest);
    }
    return this.#found === undefined ? { ok: true, value: this.#value } : { ok: false, found: this.#found };
  }

  #space(at: number): number {
    let here = at;
    while (here < this.#text.length && isSpace(this.#bytes[here]!)) here++;
    return here;
  }

  #any(at: number, depth: number): number {
    const first = this.#text[at];
    if (first === '{' || first === '[') {
      if (depth >= this.#limit) return this.#fail('too_deep', at, `nested deeper than ${this.#limit} levels`);
      return first === '{' ? this.#object(at + 1, depth + 1) : this.#array(at + 1, depth + 1);
    }
    return first === '"' ? this.#string(at) : this.#scalar(at);
  }

  #scalar(at: number): number {
    const word = WORDS.find(([candidate]) => this.#text.startsWith(candidate, at));
    if (word !== undefined) {
      this.#value = word[1];
      return at + word[0].length;
    }
    NUMBER.lastIndex = at;
    if (!NUMBER.test(this.#text)) return this.#expected('a value', at);
    this.#value = Number(this.#text.slice(at, NUMBER.lastIndex));
    return NUMBER.lastIndex;
  }

  #array(at: number, depth: number): number {
    const elements: Json[] = [];
    let here = this.#space(at);
    if (this.#text[here] === ']') return this.#leave(elements, here);
    for (;;) {
      here = this.#any(here, depth);
      if (here < 0) return here;
      elements.push(this.#value);
      here = this.#space(here);
      if (this.#text[here] === ']') return this.#leave(elements, here);
      if (this.#text[here] !== ',') return this.#expected("',' or ']' after an array element", here);
      here = this.#space(here + 1);
    }
  }

  #object(at: number, depth: number): number {
    const members: { [key: string]: Json } = {};
    let here = this.#space(at);
    if (this.#text[here] === '}') return this.#leave(members, here);
    for (;;) {
      here = this.#member(here, depth, members);
      if (here < 0) return here;
      here = this.#space(here);
      if (this.#text[here] === '}') return this.#leave(members, here);
      if (this.#text[here] !== ',') return this.#expected("',' or '}' after a member", here);
      here = this.#space(here + 1);
    }
  }

  #member(at: number, depth: number, members: { [key: string]: Json }): number {
    if (this.#text[at] !== '"') return this.#expected('a member name in double quotes', at);
    const end = this.#string(at);
    if (end < 0) return end;
    // names are compared as decoded, `"a"` and `"\u0061"` being one name
    const name = this.#value as string;
    if (Object.hasOwn(members, name)) {
      return this.#fail('duplicate_key', at, `the member ${shown(name)} appears twice in one object`);
    }
    const colon = this.#space(end);
    if (this.#text[colon] !== ':') return this.#expected("':' after a member name", colon);
    const next = this.#any(this.#space(colon + 1), depth);
    if (next >= 0) put(members, name, this.#value);
    return next;
  }

  #leave(value: Json, close: number): number {
    this.#value = value;
    return close + 1;
  }

  #string(at: number): number {
    const end = closingQuote(this.#bytes, this.#text, at + 1);
    const literal = this.#bytes.toString('utf8', at, end + 1);
    try {
      // a string alone is decoded faithfully by every engine
      this.#value = JSON.parse(literal) as string;
      return end + 1;
    } catch {
      return this.#brokenString(at + 1, end);
    }
  }

  #brokenString(from: number, end: number): number {
    for (let at = from; at < end; at++) {
      if (this.#bytes[at]! < 0x20) return this.#expected('no raw control character in a string', at);
      if (this.#text[at] !== '\\') continue;
      const escape = this.#text[++at];
      if (escape !== undefined && ESCAPES.includes(escape)) continue;
      if (!/^u[0-9a-fA-F]{4}$/.test(this.#text.slice(at, at + 5))) {
        return this.#expected('a JSON escape after a backslash', at);
      }
      at += 4;
    }
    return this.#expected('a closing quote', this.#text.length);
  }

  #expected(what: string, at: number): number {
    return this.#fail('syntax', at, `expected ${what}, found ${seen(this.#text.charCodeAt(at))}`);
  }

  #fail(fault: JsonFault, offset: number, detail: string): number {
    this.#found = { fault, offset, detail };
    return -1;
  }
}

function put(members: { [key: string]: Json }, name: string, value: Json): void {
  if (name !== '__proto__') members[name] = value;
  else Object.defineProperty(members, name, { value, writable: true, enumerable: true, configurable: true });
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function shown(name: string): string {
  return JSON.stringify(name.length > SHOWN_NAME ? `${name.slice(0, SHOWN_NAME)}…` : name);
}

function seen(code: number): string {
  if (Number.isNaN(code)) return 'the end of the text';
  return code > 0x20 && code < 0x7f ? `'${String.fromCharCode(code)}'` : `byte 0x${code.toString(16).padStart(2, '0')}`;
}
