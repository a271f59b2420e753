import type { Edit } from '../../gateway/document.ts';
import { Document } from './document.ts';
import type { Doc, Path, Place } from './document.ts';

export type { Edit } from '../../gateway/document.ts';

interface Cut {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What changes about the membership of one container. */
interface Change {
  readonly container: Place;
  readonly removed: Set<string | number>;
  readonly added: Map<string | number, string>;
}

/**
 * Writes the document with edits; every byte outside of them stays as it came. All paths speak of the document before
 * the edits. Throws RangeError for an edit that cannot be done exactly: a path that leads nowhere, one path inside
 * another, or `json` that is not JSON text (which could otherwise close the object around it).
 */
export function splice(doc: Doc, edits: readonly Edit[]): Buffer {
  if (!(doc instanceof Document)) throw new TypeError('splice needs a document made by parseJson');
  if (edits.length === 0) return doc.bytes;
  if (edits.length === 1) {
    const cut = inPlace(doc, edits[0]!);
    if (cut !== undefined) return write(doc.bytes, [cut]);
  }
  const plan = new Plan(doc);
  for (const edit of edits) plan.take(edit);
  return write(doc.bytes, plan.cuts());
}

/** One value put in the place of another, as every id is: nothing can overlap with it. */
function inPlace(doc: Document, edit: Edit): Cut | undefined {
  if (edit.op === 'remove') return undefined;
  const place = doc.span(edit.path);
  if (place === undefined) return undefined;
  assertJson(edit.json);
  return { start: place.start, end: place.end, text: edit.json };
}

class Plan {
  readonly #doc: Document;
  readonly #cuts: Cut[] = [];
  readonly #changes = new Map<Place, Change>();
  readonly #edited = new Set<Place>();
  readonly #crossed = new Set<Place>();

  constructor(doc: Document) {
    this.#doc = doc;
  }

  take(edit: Edit): void {
    if (edit.op !== 'remove') assertJson(edit.json);
    const last = edit.path.at(-1);
    if (last === undefined) return this.#takeRoot(edit);
    const container = this.#descend(edit.path);
    const target = this.#doc.inside(container)?.get(last);
    if (target === undefined) return this.#add(edit, container, last);
    this.#claim(target, edit.path);
    if (edit.op === 'remove') this.#change(container).removed.add(last);
    else this.#cuts.push({ start: target.start, end: target.end, text: edit.json });
  }

  /** In no order; they never overlap. */
  cuts(): Cut[] {
    const cuts = [...this.#cuts];
    for (const change of this.#changes.values()) cuts.push(...membership(this.#doc, change));
    return cuts;
  }

  #takeRoot(edit: Edit): void {
    if (edit.op === 'remove') throw new RangeError('a document cannot remove itself');
    const root = this.#doc.root();
    this.#claim(root, edit.path);
    this.#cuts.push({ start: root.start, end: root.end, text: edit.json });
  }

  #descend(path: Path): Place {
    let place = this.#doc.root();
    for (let step = 0; step < path.length; step++) {
      if (this.#edited.has(place)) throw overlap(path);
      this.#crossed.add(place);
      if (step === path.length - 1) break;
      const next = this.#doc.inside(place)?.get(path[step]!);
      if (next === undefined) throw nowhere(path);
      place = next;
    }
    return place;
  }

  #claim(place: Place, path: Path): void {
    if (this.#edited.has(place) || this.#crossed.has(place)) throw overlap(path);
    this.#edited.add(place);
  }

  #add(edit: Edit, container: Place, key: string | number): void {
    if (edit.op !== 'set') throw nowhere(edit.path);
    const inside = this.#doc.inside(container);
    const { added } = this.#change(container);
    if (added.has(key)) throw overlap(edit.path);
    const fits = isArray(this.#doc, container) ? key === (inside?.size ?? 0) + added.size : typeof key === 'string';
    if (inside === undefined || !fits) throw nowhere(edit.path);
    added.set(key, typeof key === 'string' ? `${JSON.stringify(key)}:${edit.json}` : edit.json);
  }

  #change(container: Place): Change {
    let change = this.#changes.get(container);
    if (change === undefined) {
      change = { container, removed: new Set(), added: new Map() };
      this.#changes.set(container, change);
    }
    return change;
  }
}

/**
 * Commas go with what is removed: before the first member that stays, each takes the comma behind it; after it, each
 * takes the comma before it.
 */
function membership(doc: Document, change: Change): Cut[] {
  const inside = doc.inside(change.container);
  if (change.removed.size === 0) return [addition(change, inside)];
  const members = [...(inside ?? [])];
  const stays = members.findIndex(([key]) => !change.removed.has(key));
  const cuts: Cut[] = [];
  for (const [index, [key, place]] of members.entries()) {
    if (!change.removed.has(key)) continue;
    const follows = stays >= 0 && index > stays;
    const start = follows ? members[index - 1]![1].end : place.from;
    const end = follows ? place.end : (members[index + 1]?.[1].from ?? place.end);
    cuts.push({ start, end, text: '' });
  }
  if (change.added.size === 0) return cuts;
  const place = members.at(-1)?.[1].end ?? change.container.start + 1;
  const text = [...change.added.values()].join(',');
  return [...cuts, { start: place, end: place, text: stays >= 0 ? `,${text}` : text }];
}

/** Nothing is taken out: what is new stands behind the last member. */
function addition({ added, container }: Change, inside: ReadonlyMap<unknown, Place> | undefined): Cut {
  let last: Place | undefined;
  for (const place of inside?.values() ?? []) last = place;
  const place = last?.end ?? container.start + 1;
  const text = [...added.values()].join(',');
  return { start: place, end: place, text: last === undefined ? text : `,${text}` };
}

function write(bytes: Buffer, cuts: Cut[]): Buffer {
  if (cuts.length > 1) cuts.sort((a, b) => a.start - b.start);
  let length = bytes.length;
  for (const { start, end, text } of cuts) length += Buffer.byteLength(text) - (end - start);
  const written = Buffer.allocUnsafe(length);
  let to = 0;
  let from = 0;
  for (const { start, end, text } of cuts) {
    to += bytes.copy(written, to, from, start);
    if (text !== '') to += written.write(text, to);
    from = end;
  }
  bytes.copy(written, to, from);
  return written;
}

function isArray(doc: Document, place: Place): boolean {
  return doc.bytes[place.start] === 0x5b;
}

/** Whole numbers and plain strings, which most edits are: ids, tokens, names. */
const PLAIN = /^(?:0|[1-9][0-9]*|"[^"\\\u0000-\u001f\ud800-\udfff]*")$/;

/** The same text goes into many documents: who the gateway is, what a session can do. */
const LONG = 1024;
let lastGood = '0';

function assertJson(json: string): void {
  if (json === lastGood || PLAIN.test(json)) return;
  // a raw lone surrogate would silently become U+FFFD when written
  if (!json.isWellFormed()) throw new RangeError('the text to put in holds a lone surrogate');
  try {
    JSON.parse(json);
    if (json.length < LONG) lastGood = json;
  } catch {
    throw new RangeError('the text to put in is not JSON');
  }
}

function nowhere(path: Path): RangeError {
  return new RangeError(`the path ${JSON.stringify(path)} leads nowhere in this document`);
}

function overlap(path: Path): RangeError {
  return new RangeError(`the path ${JSON.stringify(path)} overlaps with another edit`);
}
