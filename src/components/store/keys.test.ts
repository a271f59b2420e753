import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { test, type TestContext } from 'node:test';
import { openKeyring } from '../../gateway/keyring.ts';
import { manualClock } from '../../lib/clock.ts';
import { embedded } from './embedded/embedded.ts';
import { keysIn } from './keys.ts';

async function openStore(t: TestContext) {
  const dir = await mkdtemp(`${tmpdir()}/sallyport-keys-`);
  const clock = manualClock();
  const store = await embedded.open({ dir }, { clock });
  t.after(async () => {
    await store.close();
    await rm(dir, { recursive: true });
  });
  return { clock, store };
}

test('a record that is no key ring stops the start instead of being replaced', async (t) => {
  const { clock, store } = await openStore(t);
  await store.records.put('gw', 'keys', 'ring', { value: '[{"id":"x"}]', expected: 'absent' });
  await assert.rejects(openKeyring(keysIn(store, 'gw'), clock));
  assert.equal((await store.records.get('gw', 'keys', 'ring'))?.value, '[{"id":"x"}]');
});

test('ten gateways that start at once on one store share one key', async (t) => {
  const { clock, store } = await openStore(t);
  const rings = await Promise.all(Array.from({ length: 10 }, () => openKeyring(keysIn(store, 'gw'), clock)));
  const token = rings[0]?.seal('p', { expires: clock.now() + 1 }, ['b']) ?? '';
  for (const ring of rings) assert.equal(ring.open('p', token, ['b']).ok, true);
  assert.equal((await keysIn(store, 'gw').load()).length, 1);
});

test('a key added by another replica is told, and keys that ended are dropped', async (t) => {
  const { store } = await openStore(t);
  const keys = keysIn(store, 'gw');
  const key = (id: string, created: number) => ({ id, secret: 's', created, starts: created, ends: created + 10 });
  const told = Promise.withResolvers<void>();
  const stop = keys.watch(told.resolve);
  assert.equal(await keys.add(key('a', 0), undefined), true);
  await told.promise;
  stop();
  assert.equal(await keys.add(key('b', 5), undefined), false);
  assert.equal(await keys.add(key('b', 5), 'a'), true);
  assert.equal(await keys.add(key('c', 12), 'b'), true);
  assert.deepEqual(
    (await keys.load()).map(({ id }) => id),
    ['b', 'c'],
  );
});
