/** What the event loop and the SQLite thread say to each other. */
import type { Change } from '../sql/database.ts';

export type Row = Readonly<Record<string, unknown>>;

/** What better-sqlite3 needs of a statement; a `CompiledQuery` carries more than can cross threads. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** One request: statements that take effect together or not at all. */
export interface Unit {
  readonly id: number;
  readonly statements: readonly Statement[];
}

/** Reads are answered first and wait for no disk; writes share one transaction and are answered after its commit. */
export interface Batch {
  readonly reads: readonly Unit[];
  readonly writes: readonly Unit[];
}

export type Answer =
  | { readonly id: number; readonly rows: readonly (readonly Row[])[] }
  | { readonly id: number; readonly fault: string };

export type FromThread =
  | { readonly say: 'ready' }
  | { readonly say: 'refused'; readonly fault: string }
  | { readonly say: 'answers'; readonly answers: readonly Answer[]; readonly changes: readonly Change[] }
  /** Ready for the next batch. */
  | { readonly say: 'done' }
  /** Another process wrote to the file. */
  | { readonly say: 'elsewhere' }
  | { readonly say: 'closed' };

export type ToThread = { readonly ask: 'batch'; readonly batch: Batch } | { readonly ask: 'close' };
