/**
 * Records as JSON Lines in one file, mode 0600. `standard`: handed to the operating system before the call goes on, fsync
 * within 10 ms. `strict`: fsync first, many records sharing one. Open attempts of a process that died are closed at start.
 */
import { closeSync, fdatasync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { defineComponent, type Health } from '../../../gateway/component.ts';
import type { Log } from '../../../gateway/ports.ts';
import type { Audit } from '../audit.ts';
import type { AuditRecord } from '../record.ts';
import { closeOpenAttempts } from './recover.ts';

const config = z.strictObject({
  dir: z.string().optional().describe('Folder of audit.jsonl. Default: `audit` in the data directory.'),
  durability: z.enum(['standard', 'strict']).default('standard').describe('strict: every record is on disk before the call goes on.'),
  bodies: z.enum(['full', 'digest']).default('full').describe('Whether arguments and results are kept, or only their SHA-256.'),
});

/** Milliseconds until what was handed to the system is fsynced. */
const SYNC_WITHIN = 10;

export const jsonl = defineComponent({
  kind: 'audit',
  use: 'jsonl',
  config,
  create: ({ dir, durability, bodies }, { data, log, clock, gateway }): Audit => {
    const folder = dir ?? join(data, 'audit');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, 'audit.jsonl');
    const journal = new Journal(file, log);
    for (const record of closeOpenAttempts(readIfThere(file), clock, gateway)) journal.write(line(record, bodies));
    const keep: Audit['keep'] = (record) => {
      journal.write(line(record, bodies));
      return durability === 'strict' ? journal.synced() : journal.syncSoon();
    };
    return { keep, health: () => journal.health(), close: () => journal.close() };
  },
});

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function line(record: AuditRecord, bodies: 'full' | 'digest'): Buffer {
  const text = bodies === 'full' ? JSON.stringify(record) : JSON.stringify(record, withoutBodies);
  return Buffer.from(`${text}\n`);
}

function withoutBodies(key: string, value: unknown): unknown {
  if ((key === 'params' || key === 'result' || key === 'body') && typeof value === 'object' && value !== null && 'sha256' in value) {
    const { sha256, bytes } = value as { sha256: string; bytes?: number };
    return { sha256, bytes };
  }
  return value;
}

class Journal {
  readonly #fd: number;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #broken: string | undefined;

  constructor(file: string, log: Log) {
    this.#fd = openSync(file, 'a', 0o600);
    this.#log = log;
  }

  /** Throws when the system does not take the whole line: then nothing was kept, and the caller denies. */
  write(bytes: Buffer): void {
    if (this.#broken !== undefined) throw new Error(`audit: ${this.#broken}`);
    let written = 0;
    while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
  }

  syncSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.synced().catch(() => undefined);
    }, SYNC_WITHIN);
  }

  /** Resolves when everything written before the call is on disk. A sync under way may have missed it, so the next one counts. */
  synced(): Promise<void> {
    if (!this.#syncing) return (this.#syncing = this.#sync());
    this.#next ??= this.#syncing.then(() => {
      this.#next = undefined;
      return (this.#syncing = this.#sync());
    });
    return this.#next;
  }

  #sync(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      fdatasync(this.#fd, (error) => {
        if (!this.#next) this.#syncing = undefined;
        if (error) this.#fail(error);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** After a failed fsync nobody knows what is on disk (fsyncgate): no record is accepted any more. */
  #fail(error: Error): void {
    this.#broken = error.message;
    this.#log.error({ err: error }, 'the audit file cannot be synced; every call is refused until restart');
  }

  health(): Health {
    return this.#broken === undefined ? { state: 'live' } : { state: 'dead', detail: this.#broken };
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.synced().catch(() => undefined);
    closeSync(this.#fd);
  }
}
