/** Audit: what was tried, what came of it. Law 5: kept before done. */
import type { Part } from '../../gateway/component.ts';
import type { AuditRecord } from './record.ts';

export type Durability = 'standard' | 'strict';

/** Milliseconds after which, with `standard`, a place that was taken away is noticed by the next record; a power cut loses as much. */
export const NOTICED_WITHIN = 5;

export interface Audit extends Part {
  /**
   * Must not return (or resolve) before the record is kept as `durability` promises: `standard`: handed to the operating
   * system, fsync within 10 ms; `strict`: fsynced. Throws or rejects when it cannot be kept; the caller then denies.
   */
  keep(record: AuditRecord): void | Promise<void>;
}
