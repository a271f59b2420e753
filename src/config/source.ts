/** A YAML text with the place of everything in it. */
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type { Document, Node, Pair, YAMLError } from 'yaml';
import type { Place, Problem } from './problem.ts';

export type Path = readonly (string | number)[];

export interface Source {
  readonly file: string;
  readonly value: unknown;
  /** Where the value at `path` stands; where it is missing, the nearest thing around it. */
  place(path: Path): Place;
  /** Top-level keys that the command line set: they stand in no file. */
  readonly set: readonly string[];
  /** Where the key stands that `path` ends in. */
  keyPlace(path: Path): Place;
}

export type Read =
  | { readonly ok: true; readonly source: Source }
  | { readonly ok: false; readonly problems: Problem[] };

// Aliases are counted by what they expand to: a small text cannot become a huge tree ("billion laughs").
const MAX_ALIASES = 100;
const MAX_CHARACTERS = 2 ** 20;

/** Duplicate keys, unknown tags, several documents and alias bombs are problems, as every fault of the syntax is. */
export function readYaml(file: string, text: string): Read {
  const start = { line: 1, column: 1 };
  const fault = (found: string, expected: string, place: Place = start): Problem => ({
    file,
    path: '',
    place,
    expected,
    found,
  });
  if (text.length > MAX_CHARACTERS) return { ok: false, problems: [fault('more', 'at most 1 MiB of YAML')] };
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const faults = inNeed([...document.errors, ...document.warnings]).map((error) =>
    fault(sentence(error, text), 'well-formed YAML', at(lines, error.pos[0])),
  );
  if (faults.length > 0) return { ok: false, problems: faults };
  const value = expand(document);
  if (value === undefined)
    return { ok: false, problems: [fault('aliases that multiply', 'at most 100 expanded aliases')] };
  return { ok: true, source: located(file, document, lines, value.tree) };
}

function expand(document: Document): { readonly tree: unknown } | undefined {
  try {
    return { tree: document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown };
  } catch {
    return undefined;
  }
}

function located(file: string, document: Document, lines: LineCounter, value: unknown): Source {
  const nodeAt = (path: Path) => document.getIn(path, true) as Node | undefined;
  const place = (path: Path): Place => {
    for (let length = path.length; length >= 0; length -= 1) {
      const start = nodeAt(path.slice(0, length))?.range?.[0];
      if (start !== undefined)
        return length === path.length || length === 0 ? at(lines, start) : keyPlace(path.slice(0, length));
    }
    return { line: 1, column: 1 };
  };
  const keyPlace = (path: Path): Place => {
    const pair = pairOf(nodeAt(path.slice(0, -1)), path.at(-1));
    const start = isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
    return start === undefined ? place(path.slice(0, -1)) : at(lines, start);
  };
  return { file, value, set: [], place: (path) => (nodeAt(path) ? place(path) : keyPlace(path)), keyPlace };
}

function pairOf(map: Node | undefined, key: string | number | undefined): Pair | undefined {
  return isMap(map)
    ? map.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(key))
    : undefined;
}

function at(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** After the first fault of the syntax the rest is guesswork; faults that leave the syntax whole are all told. */
function inNeed(faults: readonly YAMLError[]): readonly YAMLError[] {
  const harmless = (fault: YAMLError) => fault.code === 'DUPLICATE_KEY' || fault.code === 'TAG_RESOLVE_FAILED';
  return [...faults.filter(harmless), ...faults.filter((fault) => !harmless(fault)).slice(0, 1)];
}

function sentence({ code, message, pos }: YAMLError, text: string): string {
  if (code === 'DUPLICATE_KEY') return `the key ${JSON.stringify(keyAt(text, pos[0]))} a second time`;
  const plain = message.replace(/\s+/g, ' ').replace(/^./, (first) => first.toLowerCase());
  return text.slice(Math.max(0, pos[0] - 1)).startsWith('${')
    ? `${plain} (quote references inside { } and [ ])`
    : plain;
}

function keyAt(text: string, offset: number): string {
  return /^[^\s:]{1,64}/.exec(text.slice(offset))?.[0] ?? '';
}
