/**
 * Hot reload: the file, or a file it refers to, changes → read, check, hand over whole; on any problem the old
 * configuration stays in force and the problems are told. Events of the file system only say "look again": what counts
 * is a digest of the contents, so that editors that write three times cause one reload.
 */
import { createHash } from 'node:crypto';
import { readFileSync, realpathSync, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { AnyComponent } from '../gateway/component.ts';
import type { Log } from '../gateway/ports.ts';
import { loadConfig } from './load.ts';
import type { Loaded, LoadOptions } from './load.ts';
import { problemText } from './problem.ts';

export interface WatchOptions extends LoadOptions {
  readonly file: string;
  readonly components: readonly AnyComponent[];
  /** The configuration in force, and the files it was read from. */
  readonly loaded: Loaded;
  readonly log: Log;
  /** Takes the new configuration over, or rejects and keeps the old. Never called twice at once. */
  readonly apply: (loaded: Loaded) => Promise<void>;
  /** Milliseconds from an event of the file system to the look: an editor's several writes are over by then. */
  readonly settle?: number;
}

export interface ConfigWatch {
  /** Looks at once, as SIGHUP does: also takes changed environment variables over. Resolves when it is done. */
  check(): Promise<void>;
  close(): void;
}

const SETTLE_MS = 100;

export function watchConfig(options: WatchOptions): ConfigWatch {
  const { loaded, settle = SETTLE_MS } = options;
  let watched = watchFolders(loaded.files, later);
  let seen = contents(loaded.files);
  let timer: NodeJS.Timeout | undefined;
  let work = Promise.resolve();
  let closed = false;

  function later(): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      void look(false);
    }, settle);
  }

  function look(always: boolean): Promise<void> {
    work = work.then(async () => {
      // What is read now counts as seen, not what lies there afterwards: a change made meanwhile would be lost.
      const now = contents(watched.files);
      if (closed || (!always && now === seen)) return;
      const before = watched.files;
      const files = await reload(options);
      watched.close();
      if (closed) return;
      watched = watchFolders(files, later);
      seen = files.join('\0') === before.join('\0') ? now : contents(files);
      later();
    });
    return work;
  }

  const onHangup = () => void look(true);
  process.on('SIGHUP', onHangup);
  return {
    check: () => look(true),
    close() {
      closed = true;
      clearTimeout(timer);
      watched.close();
      process.off('SIGHUP', onHangup);
    },
  };
}

/** The files to watch from now on. */
async function reload({ file, components, log, apply, ...options }: WatchOptions): Promise<readonly string[]> {
  const result = await loadConfig(file, components, options);
  if (!result.ok) {
    const problems = result.problems.map(problemText);
    log.error({ problems }, 'the changed configuration is not valid; the old one stays in force');
    return result.files;
  }
  try {
    await apply(result);
    log.info({ config: result.digest }, 'the changed configuration is in force');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    log.error({ why }, 'the changed configuration cannot be put in force; the old one stays');
  }
  return result.files;
}

interface Watched {
  readonly files: readonly string[];
  close(): void;
}

// Folders, because editors and secret mounts replace files, and a watch on a replaced file hears nothing more.
function watchFolders(files: readonly string[], onChange: () => void): Watched {
  const folders = Map.groupBy([...files, ...files.map(realPath)], (file) => dirname(file));
  const watchers = [...folders].flatMap(([folder, inside]): FSWatcher[] => {
    const names = new Set(inside.map((file) => basename(file)));
    // Mounted secrets change by a link named `..data`. Other names are other people's files, such as the audit's.
    const heard = (name: string | null) => (name === null || name.startsWith('..') || names.has(name)) && onChange();
    try {
      return [watch(folder, { persistent: false }, (_, name) => void heard(name)).on('error', onChange)];
    } catch {
      return [];
    }
  });
  return { files, close: () => watchers.forEach((watcher) => watcher.close()) };
}

function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

function contents(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update('\0').update(bytes(file)).update('\0');
  return hash.digest('hex');
}

function bytes(file: string): Buffer | string {
  try {
    return readFileSync(file);
  } catch {
    return 'unreadable';
  }
}
