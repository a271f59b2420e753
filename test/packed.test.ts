/**
 * What npm gives a user: the tarball, built and packed here, installed into an empty folder by whatever Node.js and npm
 * the machine has of its own (20.20 and newer), without the pinned one of this repository in PATH.
 * Costs about half a minute and some 250 MB on disk; it needs the npm cache or the registry.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { endBackground, isAlive } from './background.ts';
import { startDemo, terminated } from './demo.ts';
import { descendants } from './descendants.ts';
import { REAL_CLIENTS } from './real/clients.ts';
import { openRaw } from './real/raw.ts';

interface Manifest {
  version: string;
  devDependencies: Record<string, string>;
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { version, devDependencies } = createRequire(import.meta.url)('../package.json') as Manifest;
/** Installed beside it, so that the demo needs no download of its own. */
const SERVERS = ['filesystem', 'memory', 'everything'].map((name) => `@modelcontextprotocol/server-${name}`);

describe('the packed package', { timeout: 240_000 }, () => {
  let folder: string;
  let env: Record<string, string>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'packed-'));
    env = { PATH: ownPath(), SALLYPORT_DATA: join(folder, 'data') };
    // `.npmrc` keeps npm from running any script by itself, `prepack` included.
    await npm(ROOT, 'run', 'build');
    const { stdout } = await npm(ROOT, 'pack', '--json', '--pack-destination', folder);
    const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [{ filename: string }];
    await writeFile(join(folder, 'package.json'), '{"private":true}');
    const servers = SERVERS.map((name) => `${name}@${devDependencies[name]}`);
    await npm(folder, 'install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, filename), ...servers);
  });
  after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));

  test('tells its version', async () => {
    const { stdout } = await run('npx', folder, 'sallyport', '--version');
    assert.equal(stdout.trim(), version);
  });

  test('holds no tests and no sources', async () => {
    const { stdout } = await npm(folder, 'ls', '--parseable', 'sallyport');
    const installed = join(stdout.trim(), 'dist');
    const { stdout: files } = await promisify(execFile)('find', [
      installed,
      '-name',
      '*.test.js',
      '-o',
      '-name',
      '*.ts',
    ]);
    assert.deepEqual(
      files.split('\n').filter((file) => file !== '' && !file.endsWith('.d.ts')),
      [],
    );
  });

  test('relays between an agent and a gateway that it starts', async () => {
    const data = join(folder, 'relayed');
    const file = join(folder, 'sallyport.yaml');
    const command = join(folder, 'node_modules/.bin/mcp-server-filesystem');
    await writeFile(file, stringify({ listen: '127.0.0.1:0', data, servers: { files: { command, args: [folder] } } }));
    const raw = await openRaw(
      { kind: 'stdio', command: bin(), args: ['stdio', 'files', '--config', file], env },
      'legacy',
    );
    const { message } = await raw.request(1, 'tools/list');
    assert.match(JSON.stringify(message), /"list_allowed_directories"/);
    await raw.close();
    await endBackground(data);
  });

  test('serves its demo to a stock client, and ends without a trace', async () => {
    const demo = await startDemo({ command: bin(), args: ['demo', '--listen', '127.0.0.1:0'], cwd: folder, env });
    try {
      const client = REAL_CLIENTS.find(({ name }) => name === '@modelcontextprotocol/client 2 auto')!;
      const session = await client.open(demo.url, demo.token);
      assert.match(JSON.stringify(await session.call('everything__echo', { message: 'packed' })), /Echo: packed/);
      assert.match(JSON.stringify(await session.call('files__list_allowed_directories', {})), /sallyport/);
      await session.close();
      const below = await descendants(demo.child.process.pid!);
      assert.equal(await terminated(demo), 0);
      assert.deepEqual(below.filter(isAlive), []);
    } finally {
      await demo.child.close();
    }
  });

  function bin(): string {
    return join(folder, 'node_modules/.bin/sallyport');
  }

  function npm(cwd: string, ...args: string[]): Promise<{ stdout: string }> {
    return run('npm', cwd, ...args);
  }

  async function run(command: string, cwd: string, ...args: string[]): Promise<{ stdout: string }> {
    return promisify(execFile)(command, args, { cwd, env: { ...process.env, ...env }, maxBuffer: 16 * 1024 * 1024 });
  }
});

/** The machine's own PATH. */
function ownPath(): string {
  return process.env['PATH']!.split(delimiter)
    .filter((part) => !part.includes('node_modules'))
    .join(delimiter);
}
