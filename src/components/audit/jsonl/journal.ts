/** One file that lines are only ever added to: whole, or not at all. */
import {
  closeSync,
  fchmodSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Health } from '../../../gateway/component.ts';
import type { Log } from '../../../gateway/ports.ts';

/** Milliseconds until what was handed to the system is fsynced. */
const SYNC_WITHIN = 10;

export type Sync = (fd: number, done: (error: Error | null) => void) => void;

export class Journal {
  readonly #fd: number;
  readonly #log: Log;
  readonly #sync: Sync;
  readonly #seenFor: number;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #broken: string | undefined;
  /** When the file was last seen in its folder. */
  #seen = -Infinity;
  #closed: Promise<void> | undefined;

  /** @param seenFor milliseconds for which a file that was there is taken to be there still */
  constructor(file: string, log: Log, seenFor: number, sync: Sync = fdatasync) {
    this.#fd = openSync(file, 'a+', 0o600);
    this.#log = log;
    this.#sync = sync;
    this.#seenFor = seenFor;
    fchmodSync(this.#fd, 0o600);
    syncFolder(dirname(file));
    // A power cut may have torn the last line: the next record must not be glued to it.
    if (!endsWhole(this.#fd)) writeSync(this.#fd, '\n');
  }

  /** Throws when the system does not take the whole line: then nothing was kept, and the caller denies. */
  write(bytes: Buffer): void {
    if (this.#broken !== undefined) throw new Error(`audit: ${this.#broken}`);
    this.#look();
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
    } catch (error) {
      this.#takeBack(written);
      throw error;
    }
  }

  /** The system takes lines for a file without a name as well; nobody will ever read them. */
  #look(): void {
    const now = performance.now();
    if (now - this.#seen < this.#seenFor) return;
    if (fstatSync(this.#fd).nlink === 0)
      throw this.#break('the audit file was removed; restart the gateway to begin another');
    this.#seen = now;
  }

  /** Half a line (disk full) would swallow the next record. */
  #takeBack(written: number): void {
    if (written === 0) return;
    try {
      ftruncateSync(this.#fd, fstatSync(this.#fd).size - written);
    } catch {
      this.#break('half a record was written and cannot be taken back');
    }
  }

  syncSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.synced().catch(() => undefined);
    }, SYNC_WITHIN);
  }

  /** Resolves when everything written before the call is on disk. A sync under way may have missed it, so the next one counts. */
  synced(): Promise<void> {
    if (!this.#syncing) return (this.#syncing = this.#syncNow());
    this.#next ??= this.#syncing.then(() => {
      this.#next = undefined;
      return (this.#syncing = this.#syncNow());
    });
    return this.#next;
  }

  #syncNow(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#sync(this.#fd, (error) => {
        if (!this.#next) this.#syncing = undefined;
        // After a failed fsync nobody knows what is on disk (fsyncgate): no record is accepted any more.
        if (error) reject(this.#break(`the audit file cannot be synced: ${error.message}`));
        else resolve();
      });
    });
  }

  #break(why: string): Error {
    if (this.#broken === undefined)
      this.#log.error({ why }, 'audit cannot be kept; every call is refused until restart');
    this.#broken ??= why;
    return new Error(`audit: ${why}`);
  }

  health(): Health {
    return this.#broken === undefined ? { state: 'live' } : { state: 'dead', detail: this.#broken };
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    const synced = this.synced();
    // The number of a closed descriptor is given to the next file that is opened: nothing is written to it any more.
    this.#broken ??= 'the audit file is closed';
    await synced.catch(() => undefined);
    closeSync(this.#fd);
  }
}

/** A new file's name is only safe on disk once its folder is (fsync(2)). */
function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function endsWhole(fd: number): boolean {
  const { size } = fstatSync(fd);
  const last = Buffer.alloc(1);
  return size === 0 || (readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === 0x0a);
}
