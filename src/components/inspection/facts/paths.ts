/** Paths as POSIX resolves them, without touching a disk: links are the server's own affair (CWE-22, CWE-59). */
import { posix } from 'node:path';
import { distinct, type Reading } from './reading.ts';

/** `path` is the one path, or the folder that holds them all with a slash at its end; absent where there is none. */
export function pathsOf(texts: readonly string[]): Reading {
  const read = texts.map(canonical);
  const paths = distinct(read.filter((path) => path !== undefined));
  const unclear = read.includes(undefined);
  const path = unclear ? undefined : above(paths);
  return { facts: { paths, ...(path === undefined ? {} : { path }) }, unclear };
}

// Spellings that some server or file system reads as a dot or a slash: escapes, backslashes, controls, characters that
// Unicode compatibility (UAX #15, NFKC) turns into them.
const TRICK = /%(?:2e|2f|5c|25|00)|[\\\u0000-\u001f\u007f]|[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/i;

/** undefined: the path has a spelling that servers read in different ways. */
function canonical(text: string): string | undefined {
  if (text === '' || TRICK.test(text) || text.startsWith('~') || !text.isWellFormed()) return undefined;
  if (count(text.normalize('NFKC')) !== count(text) || text.normalize('NFC') !== text) return undefined;
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) return undefined;
  const path = posix.normalize(text);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function count(text: string): number {
  return text.split(/[./\\]/).length;
}

function above([first, ...rest]: readonly string[]): string | undefined {
  if (first === undefined || rest.length === 0) return first;
  const common = rest.reduce((steps, path) => shared(steps, path.split('/')), first.split('/').slice(0, -1));
  return `${common.join('/')}/`;
}

function shared(steps: readonly string[], others: readonly string[]): string[] {
  const end = steps.findIndex((step, index) => index >= others.length - 1 || step !== others[index]);
  return steps.slice(0, end === -1 ? steps.length : end);
}
