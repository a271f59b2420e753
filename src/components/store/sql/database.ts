/**
 * What the shared SQL asks of a family. Kysely builds and compiles the statements here but never runs them: SQLite runs
 * on another thread and PostgreSQL over the wire, and both want a finished list of statements, not a conversation.
 */
import type { CompiledQuery, Kysely } from 'kysely';
import type { Tables } from './tables.ts';

export interface Database {
  /** For building statements only. */
  readonly sql: Kysely<Tables>;
  readonly ddl: Ddl;
  /** Runs one statement that changes nothing. */
  read<Row>(statement: CompiledQuery<Row>): Promise<Row[]>;
  /** Runs all statements or none, in this order; resolves when they are durable. */
  write<Statements extends readonly CompiledQuery[]>(...statements: Statements): Promise<RowsOf<Statements>>;
  close(): Promise<void>;
}

export type RowsOf<Statements extends readonly CompiledQuery[]> = {
  readonly [Index in keyof Statements]: Statements[Index] extends CompiledQuery<infer Row> ? readonly Row[] : never;
};

/** The words in which the families' data definitions differ. */
export interface Ddl {
  /** Text that compares byte by byte. */
  readonly text: string;
  /** 64-bit integer. */
  readonly integer: string;
  /** What ends a `create table`. */
  readonly end: string;
  /** Statements that make the database announce changes; see `Change`. */
  readonly announcing: readonly string[];
}

/** Something changed: `topic` is `recordsTopic(collection)` or `DEFINITIONS_TOPIC`, `key` a record's key or a server. */
export interface Change {
  readonly tenant: string;
  readonly topic: string;
  readonly key: string;
}

/** Called after the commit of each change, by whichever process; with undefined when anything may have changed. */
export type Announce = (change: Change | undefined) => void;

export const DEFINITIONS_TOPIC = 'definitions';
export const recordsTopic = (collection: string): string => `records/${collection}`;
