/** A JSON value as `JSON.parse` gives it. Big integers lose digits here; `Doc.raw` keeps them. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export type Path = readonly (string | number)[];

/** Byte offsets into `Doc.bytes`; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * One strictly parsed JSON text: the bytes as they came, the tree that was judged, and where each value stands.
 * Law 2: what is sent is these bytes, changed only by splices.
 */
export interface Doc {
  readonly bytes: Buffer;
  readonly value: Json;
  span(path: Path): Span | undefined;
  /** The exact source text of the value at `path`. */
  raw(path: Path): string | undefined;
}

/** One change of a document. `replace` and `remove` need the value to exist; `set` adds the member if its parent exists. */
export type Edit =
  | { readonly op: 'replace'; readonly path: Path; readonly json: string }
  | { readonly op: 'set'; readonly path: Path; readonly json: string }
  | { readonly op: 'remove'; readonly path: Path };

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
