import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

test('a file that is no database is refused, with its reason', async () => {
  const { dir, close, store } = await open(manualClock());
  await store.close();
  for (const file of await readdir(dir)) await rm(join(dir, file));
  await writeFile(join(dir, 'sallyport.db'), 'this is no database, however long one looks at it'.repeat(100));
  await assert.rejects(embedded.open({ dir }, { clock: manualClock() }), {
    code: 'STORE_UNAVAILABLE',
    message: /not a database/,
  });
  await close();
});

test('nobody but the owner can enter the folder or read its files', async () => {
  const { dir, store, close } = await open(manualClock());
  await store.records.put('t', 'c', 'k', { value: '1', expected: 'any' });
  assert.equal((await stat(dir)).mode & 0o777, 0o700);
  const files = await readdir(dir);
  assert.ok(files.some((file) => file.endsWith('-wal')));
  for (const file of files) assert.equal((await stat(join(dir, file))).mode & 0o777, 0o600, file);
  await close();
});

test('a write that fails in a group does not fail its neighbours', async () => {
  const { store, close } = await open(manualClock());
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
  await close();
});
