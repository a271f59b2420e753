/** A folder that real servers may touch: files, a git repository, a memory, a home. The same bytes in every run. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Scratch {
  path: string;
  close(): Promise<void>;
}

const ADA = { type: 'entity', name: 'Ada', entityType: 'person', observations: ['wrote the first program'] };

export async function makeScratch(): Promise<Scratch> {
  const path = await mkdtemp(join(tmpdir(), 'real-'));
  for (const folder of ['files/inner', 'home', 'repository']) await mkdir(join(path, folder), { recursive: true });
  await writeFile(join(path, 'files/hello.txt'), 'Hello,\nwörld 👋\n');
  await writeFile(join(path, 'files/written.txt'), 'once\n');
  await writeFile(join(path, 'files/inner/numbers.json'), '{"big":12345678901234567890}\n');
  await writeFile(join(path, 'memory.jsonl'), `${JSON.stringify(ADA)}\n`);
  await makeRepository(join(path, 'repository'));
  return { path, close: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}

const AUTHOR = {
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
  GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z',
  GIT_CONFIG_GLOBAL: '/dev/null',
};

async function makeRepository(cwd: string): Promise<void> {
  const git = (...args: string[]) => promisify(execFile)('git', args, { cwd, env: { ...process.env, ...AUTHOR } });
  await git('init', '--quiet', '--initial-branch', 'main');
  await writeFile(join(cwd, 'readme.md'), '# Read me\n');
  await git('add', '.');
  await git('commit', '--quiet', '--message', 'first');
}
