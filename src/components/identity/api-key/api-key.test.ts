import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { verifies } from '../../../../test/verifies.ts';
import { manualClock } from '../../../lib/clock.ts';
import { sampleArrival, sampleDeps } from '../../samples.ts';
import { memoryRecords } from '../../store/records.fixture.ts';
import type { Records, Store } from '../../store/store.ts';
import type { Identity } from '../identity.ts';
import { identitySuite } from '../identity.suite.ts';
import { COMPONENTS } from '../../components.ts';
import { KeyShelf, newKey, type NewKey } from './keys.ts';

// As the gateway finds it: what stands in the box under this name.
const component = COMPONENTS.find(({ kind, use }) => kind === 'identity' && use === 'api-key')!;
const bearer = (key: string, scheme = 'Bearer') => sampleArrival({ authorization: `${scheme} ${key}` });
const HOUR = 3_600_000;

function world(records: Records = memoryRecords(), tenant = 'default') {
  const clock = manualClock();
  const deps = sampleDeps('/nowhere', { clock, tenant, store: { records } as Store });
  const shelf = new KeyShelf(records, tenant, () => clock.now());
  const make = async (more: Partial<NewKey> = {}) => {
    const made = await shelf.create(newKey.parse({ name: 'ci', owner: 'ada', ...more }));
    assert.ok(made.ok);
    return made.key;
  };
  return { clock, records, shelf, make, part: async () => (await component.create({}, deps)) as Identity };
}

const flipped = (key: string) => key.slice(0, -5) + (key.at(-5) === 'A' ? 'B' : 'A') + key.slice(-4);

async function fate(part: Identity, key: string): Promise<string> {
  const identified = await part.identify(bearer(key));
  return identified.known ? 'known' : identified.why;
}

identitySuite('api-key', async () => {
  const { make, part } = world();
  const [right, other] = [await make(), await make({ name: 'nightly' })];
  const wrong = flipped(right);
  return {
    part: await part(),
    right: bearer(right),
    wrong: bearer(wrong),
    other: bearer(other),
    proofs: [right, wrong, other],
  };
});

verifies('api-key.exact', 'a key that differs in one character, is cut, or was never made is rejected', async () => {
  const { make, part } = world();
  const [key, keys] = [await make(), await part()];
  for (const wrong of [flipped(key), key.slice(0, -1), `${key}A`, 'spk_', `spk_${'A'.repeat(43)}`]) {
    assert.equal(await fate(keys, wrong), 'rejected');
  }
  assert.equal(await fate(keys, key), 'known');
});

test('another kind of token and another scheme are left to the next part', async () => {
  const { make, part } = world();
  const [key, keys] = [await make(), await part()];
  for (const header of ['Bearer spt_x', `Basic ${key}`, key, `Bearer ${key} ${key}`, '']) {
    const identified = await keys.identify(sampleArrival({ authorization: header }));
    assert.ok(!identified.known && identified.why === 'absent', header);
  }
});

verifies('api-key.hashed', 'no part of a key is kept, and its id says nothing about it', async () => {
  const { make, records, shelf } = world();
  const key = await make();
  const kept = JSON.stringify([await records.list('default', 'api-keys', { limit: 10 }), await shelf.list()]);
  for (let at = 0; at + 8 <= key.length; at += 1) assert.ok(!kept.includes(key.slice(at, at + 8)) || at < 1);
  assert.match(key, /^spk_[A-Za-z0-9_-]{43}$/);
});

verifies('api-key.ends', 'a key ends when it expires, and its twin without an end does not', async () => {
  const { make, part, clock } = world();
  const expires = new Date(clock.now() + HOUR).toISOString();
  const [ends, stays] = [await make({ expires }), await make({ name: 'stays' })];
  const keys = await part();
  const identified = await keys.identify(bearer(ends));
  assert.ok(identified.known && identified.principal.expires === clock.now() + HOUR);
  clock.advance(HOUR);
  assert.deepEqual([await fate(keys, ends), await fate(keys, stays)], ['rejected', 'known']);
  assert.equal(keys.holds?.(identified.principal), false);
  await keys.close?.();
});

verifies('api-key.ends', 'a rotated key goes on for the overlap and not longer, under the same principal', async () => {
  const { make, part, shelf, clock } = world();
  const old = await make();
  const keys = await part();
  const made = await shelf.rotate('ci', HOUR, undefined);
  assert.ok(made.ok);
  await keys.close?.();
  const again = await part();
  const [one, two] = [await again.identify(bearer(old)), await again.identify(bearer(made.key))];
  assert.ok(one.known && two.known);
  assert.equal(one.principal.key, two.principal.key);
  clock.advance(HOUR);
  assert.deepEqual([await fate(again, old), await fate(again, made.key)], ['rejected', 'known']);
  await again.close?.();
});

verifies('api-key.ends', 'a revoked key ends on every replica, with what was opened with it', async () => {
  const { make, part, shelf } = world();
  const [key, stays] = [await make(), await make({ name: 'stays' })];
  const [here, there] = [await part(), await part()];
  const [mine, other] = [await there.identify(bearer(key)), await there.identify(bearer(stays))];
  assert.ok(mine.known && other.known);
  const told = Promise.withResolvers<void>();
  there.onRevoked?.(() => told.resolve());
  assert.ok(await shelf.revoke('ci'));
  await told.promise;
  assert.deepEqual([there.holds?.(mine.principal), there.holds?.(other.principal)], [false, true]);
  assert.deepEqual([await fate(there, key), await fate(there, stays)], ['rejected', 'known']);
  assert.equal(await fate(here, key), 'rejected');
  await Promise.all([here.close?.(), there.close?.()]);
});

test('what a key is for stands in its principal, and nothing else does', async () => {
  const { make, part } = world();
  const key = await make({ agent: 'bot', groups: ['readers'], servers: ['files'], actions: ['tool.*'] });
  const identified = await (await part()).identify(bearer(key));
  assert.ok(identified.known);
  const { subject, agent, person, groups, reach, proof } = identified.principal;
  assert.deepEqual([subject, agent, person, groups], ['ci', 'bot', undefined, ['readers']]);
  assert.deepEqual(reach, [{ servers: ['files'], actions: ['tool.*'] }]);
  assert.deepEqual(proof, { use: 'api-key', strength: 'bearer' });
});

test('a name is given once, also to two who ask at the same time', async () => {
  const { shelf } = world();
  const asked = newKey.parse({ name: 'ci', owner: 'ada' });
  const made = await Promise.all([shelf.create(asked), shelf.create(asked)]);
  assert.equal(made.filter(({ ok }) => ok).length, 1);
});

test('the last use is noted to the hour, once an hour', async () => {
  const { make, part, shelf, clock } = world();
  const [key, keys] = [await make(), await part()];
  await keys.identify(bearer(key));
  clock.advance(60_000);
  await keys.identify(bearer(key));
  await keys.close?.();
  const [listed] = await shelf.list();
  assert.equal(listed?.keys[0]?.used, new Date(Math.floor(clock.now() / HOUR) * HOUR).toISOString());
});

test('a store that does not answer leaves known keys in force, and says so', async () => {
  const records = memoryRecords();
  const { make, part, shelf } = world(records);
  const key = await make();
  const keys = await part();
  const told = Promise.withResolvers<void>();
  keys.onRevoked?.(() => told.resolve());
  const get = records.get.bind(records);
  records.get = async (tenant, collection, name) =>
    collection === 'api-keys' && name === 'late' ? Promise.reject(new Error('down')) : get(tenant, collection, name);
  await shelf.create(newKey.parse({ name: 'late', owner: 'ada' }));
  await told.promise;
  assert.equal(keys.health?.().state, 'degraded');
  assert.equal(await fate(keys, key), 'known');
  await keys.close?.();
});

verifies('agents.tenants', 'property: a key never crosses tenants', async () => {
  const name = fc.constantFrom('a', 'b', 'a|b', '1:a', 'default');
  await fc.assert(
    fc.asyncProperty(name, name, async (mine, theirs) => {
      fc.pre(mine !== theirs);
      const records = memoryRecords();
      const [here, there] = [world(records, mine), world(records, theirs)];
      const key = await here.make();
      const [own, foreign] = [await here.part(), await there.part()];
      const identified = await own.identify(bearer(key));
      assert.ok(identified.known && identified.principal.tenant === mine);
      assert.equal(await fate(foreign, key), 'rejected');
      assert.deepEqual(await there.shelf.list(), []);
      assert.equal(await there.shelf.revoke('ci'), false);
      assert.equal(await fate(own, key), 'known');
      await Promise.all([own.close?.(), foreign.close?.()]);
    }),
    { numRuns: 30 },
  );
});
