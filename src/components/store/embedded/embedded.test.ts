import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { manualClock, type Clock } from '../../../lib/clock.ts';
import type { Store } from '../store.ts';
import { storeSuite, type Opened } from '../store.suite.ts';
import { embedded } from './embedded.ts';

async function open(clock: Clock): Promise<Opened & { readonly dir: string }> {
  const dir = join(await mkdtemp(join(tmpdir(), 'sallyport-store-')), 'data');
  const stores: Store[] = [];
  const reopen = async () => {
    const store = await embedded.open({ dir }, { clock });
    stores.push(store);
    return store;
  };
  const close = async () => {
    await Promise.all(stores.map((store) => store.close()));
    await rm(join(dir, '..'), { recursive: true });
  };
  return { dir, store: await reopen(), reopen, close };
}

storeSuite('embedded', open);

test('an unknown setting and an empty folder name are refused', () => {
  assert.equal(embedded.config.safeParse({ dir: 'x', sync: 'off' }).success, false);
  assert.equal(embedded.config.safeParse({ dir: '' }).success, false);
});

test('a file that is no database is refused, with its reason', async (t) => {
  const { dir, close, store } = await open(manualClock());
  t.after(close);
  await store.close();
  for (const file of await readdir(dir)) await rm(join(dir, file));
  await writeFile(join(dir, 'sallyport.db'), 'this is no database, however long one looks at it'.repeat(100));
  await assert.rejects(embedded.open({ dir }, { clock: manualClock() }), {
    code: 'STORE_UNAVAILABLE',
    message: /not a database/,
  });
});

test('nobody but the owner can enter the folder or read its files', async (t) => {
  const { dir, store, close } = await open(manualClock());
  t.after(close);
  await store.records.put('t', 'c', 'k', { value: '1', expected: 'any' });
  assert.equal((await stat(dir)).mode & 0o777, 0o700);
  const files = await readdir(dir);
  assert.ok(files.some((file) => file.endsWith('-wal')));
  for (const file of files) assert.equal((await stat(join(dir, file))).mode & 0o777, 0o600, file);
});

test('a write that fails in a group does not fail its neighbours', async (t) => {
  const { store, close } = await open(manualClock());
  t.after(close);
  const shown = (name: string) => [{ kind: 'tool', name, digest: 'd', body: '{}' }] as const;
  // A fraction cannot live in a strict integer column: SQLite refuses the row, not the group.
  const results = await Promise.allSettled([
    store.records.put('t', 'c', 'a', { value: '1', expected: 'any' }),
    store.records.put('t', 'c', 'b', { value: '1', expected: 'any', expires: 1e15 + 0.5 }),
    store.definitions.see('t', 's', shown('x')),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.equal((await store.records.get('t', 'c', 'a'))?.value, '1');
});

test('what was confirmed is there after the process was killed in the middle of writing', async (t) => {
  const { dir, store, reopen, close } = await open(manualClock());
  t.after(close);
  await store.close();
  const writer = spawn(process.execPath, ['--input-type=module', '-e', ENDLESS_WRITER, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(writer, 'exit');
  const confirmed: string[] = [];
  for await (const key of createInterface(writer.stdout)) {
    confirmed.push(key);
    if (confirmed.length === 500) writer.kill('SIGKILL');
  }
  await exited;
  const after = await reopen();
  const found = await Promise.all(confirmed.map((key) => after.records.get('t', 'c', key)));
  assert.ok(found.length >= 500 && found.every((record) => record?.value === '1'));
});

const ENDLESS_WRITER = `
  import { embedded } from ${JSON.stringify(new URL('embedded.ts', import.meta.url).href)};
  const store = await embedded.open({ dir: process.argv[1] }, { clock: { now: Date.now } });
  for (let i = 0; ; i += 20) {
    await Promise.all(Array.from({ length: 20 }, async (_, j) => {
      await store.records.put('t', 'c', String(i + j), { value: '1', expected: 'absent' });
      process.stdout.write(i + j + '\\n');
    }));
  }`;
