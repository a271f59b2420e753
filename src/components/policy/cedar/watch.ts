/** Policies and cases are read again when one of their files changes: what counts is a digest of the contents. */
import { createHash } from 'node:crypto';
import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

export interface Watched {
  close(): void;
}

/** Milliseconds from an event to the look: an editor's several writes are over by then. */
const SETTLE = 100;

/** @param reload reads everything again; gives the files to watch from now on, none: as before. Never called twice at once */
export function watchFiles(files: readonly string[], reload: () => Promise<readonly string[]>): Watched {
  let watched = files;
  let seen = digestOf(files);
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
    if (closed || digestOf(watched) === seen) return;
    seen = digestOf(watched);
    const files = await reload();
    if (closed || files.length === 0) return;
    for (const watcher of watchers) watcher.close();
    watched = files;
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
