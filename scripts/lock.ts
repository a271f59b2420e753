/**
 * `node scripts/lock.ts`: makes package-lock.json anew, whole for every platform. Registries that lack a package of another
 * platform leave a hole, and `npm ci` then refuses the file (npm/cli#4828); such packages are entered by name and version.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Locked {
  version?: string;
  optionalDependencies?: Record<string, string>;
  [member: string]: unknown;
}

const folder = mkdtempSync(join(tmpdir(), 'lock-'));
for (const file of ['package.json', '.npmrc']) copyFileSync(file, join(folder, file));
const { status } = spawnSync('npm', ['install', '--package-lock-only'], { cwd: folder, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);

const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Locked>;
};
for (const { optionalDependencies } of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies ?? {})) {
    lock.packages[`node_modules/${name}`] ??= { version, dev: true, optional: true, ...platformOf(name) };
  }
}
const { '': root, ...others } = lock.packages;
const sorted = Object.entries(others).sort(([one], [other]) => one.localeCompare(other, 'en'));
lock.packages = { ...(root && { '': root }), ...Object.fromEntries(sorted) };
writeFileSync('package-lock.json', `${JSON.stringify(lock, undefined, 2)}\n`);
rmSync(folder, { recursive: true });

/** `@oxlint/binding-linux-arm64-musl` names its platform: system, processor, and which C library. */
function platformOf(name: string): { os: string[]; cpu: string[]; libc?: string[] } {
  const [os = '', cpu = '', library = ''] = (name.split('/').at(-1) ?? '').replace('binding-', '').split('-');
  const libc = os === 'linux' ? { libc: [library.startsWith('musl') ? 'musl' : 'glibc'] } : {};
  return { os: [os], cpu: [cpu], ...libc };
}
