/**
 * The revocation lists in force. Their files are looked at by time, because those of certbot and Kubernetes are links whose
 * change no watcher reports. A list that cannot be read does not replace the one before; that one goes out of date, and then
 * everybody below its authority is refused (law 4).
 */
import { readFileSync, statSync } from 'node:fs';
import type { Health, PartDeps } from '../../../gateway/component.ts';
import type { Certificate } from './certificate.ts';
import { readList, type RevocationList } from './crl.ts';
import { signerOf, type Link } from './path.ts';

export interface Lists {
  /** Why one of these links does not count, if one does not. */
  fault(links: readonly Link[]): string | undefined;
  onChange(listener: () => void): () => void;
  health(): Health;
  /** Looks at the files now. */
  look(): void;
  close(): void;
}

interface Listed {
  readonly files: readonly string[];
  readonly anchors: readonly Certificate[];
}

const LOOK = 10_000;

/** @throws Error with a remedy when a list cannot be read at the start */
export function openLists(authorities: readonly Listed[], { clock, log }: Pick<PartDeps, 'clock' | 'log'>): Lists {
  const listed = authorities.filter(({ files }) => files.length > 0);
  const needed = new Set(listed.flatMap(({ anchors }) => anchors.map(signerOf)));
  const files = listed.flatMap((one) => one.files.map((file) => ({ file, anchors: one.anchors })));
  const listeners = new Set<() => void>();
  let inForce = readAll(files);
  let seen = stampOf(files);
  let broken: string | undefined;

  const look = (): void => {
    const stamp = stampOf(files);
    if (stamp === seen) return;
    seen = stamp;
    try {
      inForce = readAll(files);
      broken = undefined;
    } catch (error) {
      broken = error instanceof Error ? error.message : String(error);
      log.error({ detail: broken }, 'a revocation list was not taken; the one before stays in force');
    }
    for (const listener of listeners) listener();
  };
  const timer = files.length > 0 ? setInterval(look, LOOK).unref() : undefined;

  const fault = ({ signer, serial }: Link): string | undefined => {
    const list = inForce.get(signer);
    if (!list) return needed.has(signer) ? 'its issuer has no revocation list' : undefined;
    if (clock.now() >= list.until) return 'the revocation list of its issuer is out of date';
    return list.serials.has(serial) ? 'the certificate is revoked' : undefined;
  };

  return {
    fault: (links) => links.map(fault).find((found) => found !== undefined),
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    health: () => {
      if (broken !== undefined) return { state: 'degraded', detail: broken };
      const old = [...inForce.values()].some(({ until }) => clock.now() >= until);
      return old
        ? { state: 'degraded', detail: 'a revocation list is out of date: its agents are refused' }
        : { state: 'live' };
    },
    look,
    close: () => clearInterval(timer),
  };
}

type File = { readonly file: string; readonly anchors: readonly Certificate[] };

function readAll(files: readonly File[]): ReadonlyMap<string, RevocationList> {
  const lists = new Map<string, RevocationList>();
  for (const { file, anchors } of files) {
    const list = listIn(file);
    const signer = anchors.find(({ x509 }) => list.signedBy(x509.publicKey));
    if (!signer)
      throw new Error(
        `${file} is signed by no authority of its \`ca\`: put the authority into \`ca\`, or correct the path`,
      );
    lists.set(signerOf(signer), list);
  }
  return lists;
}

function listIn(file: string): RevocationList {
  try {
    return readList(readFileSync(file));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${file} cannot be read as a revocation list: ${why}`, { cause: error });
  }
}

function stampOf(files: readonly File[]): string {
  return files
    .map(({ file }) => statSync(file, { throwIfNoEntry: false }))
    .map((stat) => (stat === undefined ? 'gone' : `${stat.ino}:${stat.size}:${stat.mtimeMs}`))
    .join(' ');
}
