/** Policies and cases are read again when one of their files changes: what counts is a digest of the contents. */
import { createHash } from 'node:crypto';
import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

export interface Watched {
  close(): void;
}

/** Milliseconds from an event to the look: an editor's several writes are over by then. */
const SETTLE = 100;

/**
 * @param list the files that count now: new ones match a pattern as soon as they are there
 * @param reload reads everything again. Never called twice at once
 */
export function watchFiles(list: () => readonly string[], reload: () => Promise<void>): Watched {
  let watched = list();
  let seen = digestOf(watched);
  let watchers = open();
  let timer: NodeJS.Timeout | undefined;
  let work = Promise.resolve();
  let closed = false;

  function open(): FSWatcher[] {
    return [...new Set(watched.map((file) => dirname(file)))].flatMap((folder) => {
      try {
        return [watch(folder, { persistent: false }, later).on('error', later)];
      } catch {
        return [];
      }
    });
  }

  function later(): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      work = work.then(look);
    }, SETTLE).unref();
  }

  async function look(): Promise<void> {
    if (closed) return;
    const files = list();
    const now = digestOf(files);
    if (now === seen) return;
    seen = now;
    await reload();
    if (closed) return;
    for (const watcher of watchers) watcher.close();
    // A folder whose last file is gone may get another.
    watched = [...files, ...(files.length === 0 ? watched : [])];
    watchers = open();
  }

  return {
    close() {
      closed = true;
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}

function digestOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update('\0').update(contents(file)).update('\0');
  return hash.digest('hex');
}

function contents(file: string): Buffer | string {
  try {
    return readFileSync(file);
  } catch {
    return 'unreadable';
  }
}
