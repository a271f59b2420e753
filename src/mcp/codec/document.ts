import type { Doc, Json, Path, Span } from '../../gateway/document.ts';
import { closingQuote } from './outline.ts';

export type { Doc, Json, Path, Span } from '../../gateway/document.ts';

/** A value in the text. The tree of these grows only where somebody asks. */
export interface Place extends Span {
  /** Where the member starts: at its name in an object, at its value elsewhere. */
  readonly from: number;
  /** What stands inside, in the order of the text; undefined for a scalar and until asked for. */
  inside: Map<string | number, Place> | undefined;
}

/** The only kind of `Doc`: bytes of a document already proven valid, with the outline of its root. */
export class Document implements Doc {
  readonly bytes: Buffer;
  readonly value: Json;
  readonly #top: readonly number[];
  #root: Place | undefined;

  constructor(bytes: Buffer, value: Json, top: readonly number[]) {
    this.bytes = bytes;
    this.value = value;
    this.#top = top;
  }

  span(path: Path): Span | undefined {
    let place: Place | undefined = this.root();
    for (let step = 0; step < path.length && place !== undefined; step++) place = this.inside(place)?.get(path[step]!);
    return place;
  }

  raw(path: Path): string | undefined {
    const span = this.span(path);
    return span === undefined ? undefined : this.bytes.toString('utf8', span.start, span.end);
  }

  root(): Place {
    if (this.#root !== undefined) return this.#root;
    const start = skipSpace(this.bytes, 0);
    const end = skipSpaceBack(this.bytes, this.bytes.length);
    const inside = this.#top.length > 0 && this.bytes[start] === OPEN_OBJECT ? this.#members(end) : undefined;
    this.#root = { from: start, start, end, inside };
    return this.#root;
  }

  /** The values directly inside a container, found at the first question; undefined for a scalar. */
  inside(place: Place): Map<string | number, Place> | undefined {
    if (place.inside !== undefined) return place.inside;
    const first = this.bytes[place.start];
    if (first === OPEN_OBJECT) place.inside = membersIn(this.bytes, place);
    else if (first === OPEN_ARRAY) place.inside = elementsIn(this.bytes, place);
    return place.inside;
  }

  /** The root's members from the outline: a `result` of megabytes is not crossed again to find the `id` behind it. */
  #members(rootEnd: number): Map<string, Place> {
    const found = new Map<string, Place>();
    for (let at = 0; at < this.#top.length; at += 3) {
      const from = this.#top[at]!;
      const next = this.#top[at + 3];
      const end = next === undefined ? rootEnd - 1 : skipSpaceBack(this.bytes, next) - 1;
      const start = skipSpace(this.bytes, this.#top[at + 2]! + 1);
      const name = nameAt(this.bytes, from, this.#top[at + 1]!);
      found.set(name, { from, start, end: skipSpaceBack(this.bytes, end), inside: undefined });
    }
    return found;
  }
}

const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;
const QUOTE = 0x22;
const COMMA = 0x2c;

// What follows trusts its bytes: they are valid JSON, so the only questions are where things begin and end.

function membersIn(bytes: Buffer, place: Span): Map<string, Place> {
  const found = new Map<string, Place>();
  const close = place.end - 1;
  let at = skipSpace(bytes, place.start + 1);
  while (at < close) {
    const nameEnd = skipValue(bytes, at);
    const start = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1);
    const end = skipValue(bytes, start);
    found.set(nameAt(bytes, at, nameEnd), { from: at, start, end, inside: undefined });
    at = skipComma(bytes, end);
  }
  return found;
}

function elementsIn(bytes: Buffer, place: Span): Map<number, Place> {
  const found = new Map<number, Place>();
  const close = place.end - 1;
  let at = skipSpace(bytes, place.start + 1);
  while (at < close) {
    const end = skipValue(bytes, at);
    found.set(found.size, { from: at, start: at, end, inside: undefined });
    at = skipComma(bytes, end);
  }
  return found;
}

function skipComma(bytes: Buffer, from: number): number {
  const at = skipSpace(bytes, from);
  return bytes[at] === COMMA ? skipSpace(bytes, at + 1) : at;
}

function skipValue(bytes: Buffer, from: number): number {
  const first = bytes[from];
  if (first === QUOTE) return closingQuote(bytes, undefined, from + 1) + 1;
  if (first === OPEN_OBJECT || first === OPEN_ARRAY) return skipContainer(bytes, from);
  let at = from + 1;
  while (at < bytes.length && !endsScalar(bytes[at]!)) at++;
  return at;
}

function skipContainer(bytes: Buffer, from: number): number {
  let depth = 0;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) at = closingQuote(bytes, undefined, at + 1);
    else if (byte >= 0x5b) {
      const bracket = byte | 0x20;
      if (bracket === 0x7b) depth++;
      else if (bracket === 0x7d && --depth === 0) return at + 1;
    }
  }
  return bytes.length;
}

function endsScalar(byte: number): boolean {
  return byte === COMMA || byte === 0x5d || byte === 0x7d || byte <= 0x20;
}

function skipSpace(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at]! <= 0x20) at++;
  return at;
}

function skipSpaceBack(bytes: Buffer, end: number): number {
  let at = end;
  while (at > 0 && bytes[at - 1]! <= 0x20) at--;
  return at;
}

function nameAt(bytes: Buffer, start: number, end: number): string {
  const name = bytes.toString('utf8', start + 1, end - 1);
  return name.includes('\\') ? (JSON.parse(`"${name}"`) as string) : name;
}
