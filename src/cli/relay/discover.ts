/**
 * The last answer to `server/discover`, kept on disk: agents wait for it half a second at most before they give the newer
 * protocol up (measured: 0.58 s), and a gateway that has to be started takes longer than that.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DiscoverMemory {
  /** The JSON text of a DiscoverResult that claims no more than is sure, and nothing for long. */
  recall(): string;
  keep(result: object): void;
}

/**
 * What holds whatever the servers are: the gateway answers every list itself, be it empty. Nothing here may be cached.
 */
const MINIMAL = {
  resultType: 'complete',
  supportedVersions: ['2026-07-28'],
  capabilities: { tools: { listChanged: true }, prompts: { listChanged: true }, resources: { listChanged: true } },
};
const STALE = { ttlMs: 0, cacheScope: 'private' };

/** `name` is the server's, or `joint`. */
export function discoverMemory(data: string, name: string): DiscoverMemory {
  const dir = join(data, 'discover');
  const file = join(dir, `${name}.json`);
  return {
    recall: () => JSON.stringify({ ...(readObject(file) ?? MINIMAL), ...STALE }),
    keep(result) {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      const written = `${file}.${process.pid}`;
      writeFileSync(written, JSON.stringify(result), { mode: 0o600 });
      // other relays read it meanwhile: whole, old or new
      renameSync(written, file);
    },
  };
}

function readObject(file: string): object | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof value === 'object' && value !== null && 'supportedVersions' in value ? value : undefined;
  } catch {
    return undefined;
  }
}
