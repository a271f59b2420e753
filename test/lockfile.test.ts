/** `npm ci` on a fresh machine needs a lock file that is whole, and registries that lack a package of another platform leave holes in it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

interface Locked {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly hasInstallScript?: boolean;
}

const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
  packages: Record<string, Locked>;
};

test('every optional dependency of a locked package is locked too, for all platforms', () => {
  const missing = Object.entries(lock.packages).flatMap(([from, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {}).filter((name) => !found(from, name)),
  );
  assert.deepEqual([...new Set(missing)], []);
});

test('every locked package has a version', () => {
  const without = Object.entries(lock.packages).filter(([path, { version }]) => path !== '' && version === undefined);
  assert.deepEqual(
    without.map(([path]) => path),
    [],
  );
});

/** Node's own way up: the folder beside, then those above. */
function found(from: string, name: string): boolean {
  const steps = from.split('/node_modules/');
  for (let end = steps.length; end >= 0; end -= 1) {
    const above = steps.slice(0, end).join('/node_modules/');
    const path = above === '' ? `node_modules/${name}` : `${above}/node_modules/${name}`;
    if (lock.packages[path]) return true;
  }
  return false;
}
