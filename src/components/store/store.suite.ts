/**
 * The store's contract as tests. Every implementation runs all of them: `storeSuite('embedded', open)`.
 * Time stands still (a manual clock) but where a test advances it.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { canonicalDigest } from '../../lib/canonical-json.ts';
import { manualClock, type Clock } from '../../lib/clock.ts';
import { StoreError, type Lease, type ShownDefinition, type Store } from './store.ts';

/** One empty database. */
export interface Opened {
  readonly store: Store;
  /** Another store on the same data: a replica, or the next start when the first was closed. */
  readonly reopen: () => Promise<Store>;
  /** Closes every store that was opened and removes the data. */
  readonly close: () => Promise<void>;
}

const HOUR = 3_600_000;
const FIFTY = Array.from({ length: 50 }, (_, index) => index);
const TOLD_WITHIN = 5_000;

export function storeSuite(name: string, open: (clock: Clock) => Promise<Opened>): void {
  describe(`store: ${name}`, () => {
    const clock = manualClock();
    let opened: Opened;
    let store: Store;
    let replica: Store;

    before(async () => {
      opened = await open(clock);
      store = opened.store;
      replica = await opened.reopen();
    });
    after(() => opened.close());

    const put = (tenant: string, key: string, value = '{}', collection = 'things') =>
      store.records.put(tenant, collection, key, { value, expected: 'any' });

    const value = async (tenant: string, key: string, from = store) =>
      (await from.records.get(tenant, 'things', key))?.value;

    const keys = async (tenant: string, prefix: string) =>
      (await store.records.list(tenant, 'things', { prefix, limit: 100 })).records.map((record) => record.key);

    describe('names', () => {
      test('a name that is empty, too long, or that a database cannot hold is refused before anything is written', async () => {
        for (const bad of ['', 'a\0b', '\ud800', 'x'.repeat(129), 'é'.repeat(65)]) {
          await assert.rejects(put(bad, 'k'), isBadName);
          await assert.rejects(put('t', 'k', '{}', bad), isBadName);
          await assert.rejects(store.leases.acquire('t', 'lease', bad, 1), isBadName);
        }
        await assert.rejects(put('t', 'x'.repeat(1_025)), isBadName);
        await assert.rejects(put('t', 'k', '"\0"'), isBadName);
        await assert.rejects(store.counters.add('t', 'c', { start: 0, end: 1 }, 0.5), isBadName);
        assert.equal(await value('t', 'k'), undefined);
      });

      test('the longest names work', async () => {
        const [tenant, key] = ['\u0001'.repeat(128), '"'.repeat(1_024)];
        assert.equal(typeof (await put(tenant, key, '1', '\\'.repeat(128))), 'number');
        assert.equal((await store.records.get(tenant, '\\'.repeat(128), key))?.value, '1');
        const [seen] = await store.definitions.see(tenant, 's', [tool('ü'.repeat(1_024), {})]);
        assert.equal(seen, 'new');
      });
    });

    describe('tenants', () => {
      test('never see or change each other’s records', async () => {
        await put('acme', 'shared', '"acme"');
        assert.equal(await value('globex', 'shared'), undefined);
        assert.equal(await store.records.remove('globex', 'things', 'shared', 'any'), false);
        assert.deepEqual(await keys('globex', ''), []);
        await put('globex', 'shared', '"globex"');
        assert.equal(await value('acme', 'shared'), '"acme"');
      });

      test('never share leases, single uses, counters or definitions', async () => {
        const window = { start: 0, end: clock.now() + HOUR };
        for (const tenant of ['wall-a', 'wall-b']) {
          assert.equal((await store.leases.acquire(tenant, 'l', 'me', HOUR)).ok, true);
          assert.equal(await store.uses.consume(tenant, 'u', clock.now() + HOUR), true);
          assert.deepEqual(await store.counters.add(tenant, 'c', window, 5, 5), { ok: true, total: 5 });
          assert.deepEqual(await store.definitions.see(tenant, 's', [tool('t', { of: tenant })]), ['new']);
        }
        assert.equal((await store.definitions.all('wall-a', 's')).length, 1);
      });

      test('are not mixed up when one name ends where another begins', async () => {
        await store.records.put('a', 'bc', 'd', { value: '1', expected: 'any' });
        assert.equal(await store.records.get('ab', 'c', 'd'), undefined);
        assert.equal(await store.records.get('a', 'b', 'cd'), undefined);
      });
    });

    describe('records', () => {
      test('a put that expects what is not there changes nothing', async () => {
        assert.equal(await cas('cas', 'nothing', 7), 'conflict');
        const version = await cas('cas', 'first', 'absent');
        assert.ok(typeof version === 'number');
        assert.equal(await cas('cas', 'second', 'absent'), 'conflict');
        assert.equal(await cas('cas', 'second', version - 1), 'conflict');
        assert.equal(await value('t', 'cas'), '"first"');
        assert.equal(await cas('cas', 'second', version), version + 1);
      });

      test('a remove that expects another version removes nothing', async () => {
        const version = await put('t', 'gone');
        assert.ok(typeof version === 'number');
        assert.equal(await store.records.remove('t', 'things', 'gone', version + 1), false);
        assert.equal(await store.records.remove('t', 'things', 'gone', version), true);
        assert.equal(await store.records.remove('t', 'things', 'gone', 'any'), false);
      });

      test('of fifty racing writers with one expected version exactly one wins, over two connections', async () => {
        const version = await put('t', 'race');
        assert.ok(typeof version === 'number');
        const results = await Promise.all(
          FIFTY.map((i) => cas('race', `writer ${i}`, version, i % 2 ? store : replica)),
        );
        assert.deepEqual(
          results.filter((result) => result !== 'conflict'),
          [version + 1],
        );
        assert.equal(await value('t', 'race'), `"writer ${results.indexOf(version + 1)}"`);
      });

      test('of fifty racing creators exactly one wins, over two connections', async () => {
        const results = await Promise.all(FIFTY.map((i) => cas('birth', `${i}`, 'absent', i % 2 ? store : replica)));
        assert.equal(results.filter((result) => result !== 'conflict').length, 1);
      });

      test('fifty racing increments by compare-and-set lose none', async () => {
        await put('t', 'sum', '0');
        const increment = async (by: Store): Promise<void> => {
          const now = await by.records.get('t', 'things', 'sum');
          const next = { value: String(Number(now?.value) + 1), expected: now?.version ?? 'absent' } as const;
          if ((await by.records.put('t', 'things', 'sum', next)) === 'conflict') await increment(by);
        };
        await Promise.all(FIFTY.map((i) => increment(i % 2 ? store : replica)));
        assert.equal(await value('t', 'sum'), '50');
      });

      test('a version of a removed record does not fit its namesake', async () => {
        const old = await put('t', 'phoenix');
        await store.records.remove('t', 'things', 'phoenix', 'any');
        await put('t', 'phoenix');
        assert.ok(typeof old === 'number');
        assert.equal(await cas('phoenix', 'stale', old), 'conflict');
      });

      test('an expired record is gone for every method, and its key is free', async () => {
        const expires = clock.now() + 1_000;
        const version = await store.records.put('t', 'brief', 'k', { value: '1', expected: 'absent', expires });
        assert.equal((await store.records.get('t', 'brief', 'k'))?.expires, expires);
        clock.advance(1_000);
        assert.equal(await store.records.get('t', 'brief', 'k'), undefined);
        assert.deepEqual(await store.records.list('t', 'brief', { limit: 9 }), { records: [] });
        assert.equal(await store.records.remove('t', 'brief', 'k', 'any'), false);
        assert.ok(typeof version === 'number');
        const write = { value: '2', expected: version };
        assert.equal(await store.records.put('t', 'brief', 'k', write), 'conflict');
        assert.notEqual(await store.records.put('t', 'brief', 'k', { ...write, expected: 'absent' }), 'conflict');
        assert.deepEqual((await store.records.get('t', 'brief', 'k'))?.expires, undefined);
      });

      test('a value comes back byte by byte: unknown members, big integers, key order, spelling', async () => {
        const text = '{ "z":1, "a": 12345678901234567890, "f": 1.10, "é\\u00e9":"\u2028😀", "__proto__": {} }\n';
        await put('t', 'exact', text);
        assert.equal(await value('t', 'exact', replica), text);
      });

      test('a value of a megabyte comes back whole', async () => {
        const text = JSON.stringify('Größe'.repeat(200_000));
        await put('t', 'big', text);
        assert.equal(await value('t', 'big'), text);
      });

      test('a prefix means its characters: nothing in it is a pattern', async () => {
        const odd = ['%', '_', '\\', '*', '[', 'ä', '😀', '\ud7ff', '\u{10ffff}', "'", '"', '$1', '?'];
        for (const start of odd) await put('prefix', `${start}/x`);
        for (const start of odd) assert.deepEqual(await keys('prefix', start), [`${start}/x`], start);
        assert.equal((await keys('prefix', '')).length, odd.length);
        assert.deepEqual(await keys('prefix', 'X'), []);
      });

      test('keys are listed by code point, whatever the locale', async () => {
        const ordered = ['A', 'Z', 'a', 'z', 'ä', '€', '\uffee', '😀'];
        for (const key of ordered.toReversed()) await put('order', key);
        assert.deepEqual(await keys('order', ''), ordered);
      });

      test('a page goes on after a key even when that key is gone, and repeats or skips nothing', async () => {
        for (const i of FIFTY) await put('pages', `k${String(i).padStart(2, '0')}`);
        const listed: string[] = [];
        let after: string | undefined;
        do {
          const page = await store.records.list('pages', 'things', { prefix: 'k', limit: 7, ...(after && { after }) });
          listed.push(...page.records.map((record) => record.key));
          after = page.next;
          if (after) await store.records.remove('pages', 'things', after, 'any');
        } while (after);
        assert.deepEqual(
          listed,
          FIFTY.map((i) => `k${String(i).padStart(2, '0')}`),
        );
      });

      test('a page that ends with the last record has no next', async () => {
        for (const key of ['a', 'b']) await put('last', key);
        assert.equal((await store.records.list('last', 'things', { limit: 2 })).next, undefined);
        assert.equal((await store.records.list('last', 'things', { limit: 1 })).next, 'a');
      });

      const cas = (key: string, text: string, expected: number | 'absent', by = store) =>
        by.records.put('t', 'things', key, { value: JSON.stringify(text), expected });
    });

    describe('leases', () => {
      const take = async (lease: string, holder: string, by = store): Promise<Lease> => {
        const result = await by.leases.acquire('t', lease, holder, HOUR);
        assert.ok(result.ok, `${holder} takes ${lease}`);
        return result.lease;
      };

      test('a held lease is refused to everyone, its holder included, and tells who holds it until when', async () => {
        await take('one', 'first');
        const refused = { ok: false, holder: 'first', until: clock.now() + HOUR };
        assert.deepEqual(await replica.leases.acquire('t', 'one', 'second', HOUR), refused);
        assert.deepEqual(await store.leases.acquire('t', 'one', 'first', HOUR), refused);
      });

      test('of fifty who ask at once, over two connections, one gets it', async () => {
        const ask = (i: number) => (i % 2 ? store : replica).leases.acquire('t', 'crowd', `h${i}`, HOUR);
        const results = await Promise.all(FIFTY.map(ask));
        assert.equal(results.filter((result) => result.ok).length, 1);
      });

      test('a lease that ended goes to another with a greater fence, and its late holder is told that it is lost', async () => {
        const late = await take('fenced', 'late');
        clock.advance(HOUR);
        assert.equal(await store.leases.renew(late, HOUR), 'lost');
        const next = await take('fenced', 'next', replica);
        assert.ok(next.fence > late.fence);
        await store.leases.release(late);
        assert.equal((await store.leases.acquire('t', 'fenced', 'third', HOUR)).ok, false);
        assert.equal(await store.leases.renew({ ...late, holder: 'next' }, HOUR), 'lost');
      });

      test('a renewed lease lasts longer', async () => {
        const lease = await take('long', 'me');
        clock.advance(HOUR / 2);
        const renewed = await store.leases.renew(lease, HOUR);
        assert.deepEqual(renewed, { ...lease, until: clock.now() + HOUR });
        clock.advance(HOUR - 1);
        assert.equal((await store.leases.acquire('t', 'long', 'other', HOUR)).ok, false);
      });

      test('a released lease is free at once and its fence still grows', async () => {
        const lease = await take('short', 'me');
        await store.leases.release(lease);
        assert.ok((await take('short', 'other')).fence > lease.fence);
      });
    });

    describe('single use', () => {
      test('a name past its time is refused', async () => {
        assert.equal(await store.uses.consume('t', 'stale', clock.now()), false);
      });

      test('of fifty who consume one name at once, over two connections, one is told true', async () => {
        const until = clock.now() + HOUR;
        const consume = (i: number) => (i % 2 ? store : replica).uses.consume('t', 'nonce', until);
        const results = await Promise.all(FIFTY.map(consume));
        assert.equal(results.filter(Boolean).length, 1);
      });

      test('a used name stays used beyond its time, for a process whose clock is behind', async () => {
        assert.equal(await store.uses.consume('t', 'skewed', clock.now() + 1), true);
        clock.advance(60_000);
        assert.equal(await replica.uses.consume('t', 'skewed', clock.now() + HOUR), false);
      });
    });

    describe('counters', () => {
      test('an amount that would pass the limit is not added', async () => {
        const window = { start: clock.now(), end: clock.now() + HOUR };
        const add = (amount: number) => store.counters.add('t', 'quota', window, amount, 10);
        assert.deepEqual(await add(11), { ok: false, total: 0 });
        assert.deepEqual(await add(8), { ok: true, total: 8 });
        assert.deepEqual(await add(3), { ok: false, total: 8 });
        assert.deepEqual(await add(2), { ok: true, total: 10 });
        assert.deepEqual(await add(-4), { ok: true, total: 6 });
      });

      test('fifty adders at once, over two connections, never pass the limit and lose nothing below it', async () => {
        const window = { start: clock.now(), end: clock.now() + HOUR };
        const add = (i: number) => (i % 2 ? store : replica).counters.add('t', 'crowd', window, 3, 100);
        const results = await Promise.all(FIFTY.map(add));
        assert.equal(results.filter((result) => result.ok).length, 33);
        assert.deepEqual(await store.counters.add('t', 'crowd', window, 0), { ok: true, total: 99 });
      });

      test('windows count apart, and sums beyond 32 bits are exact', async () => {
        const end = clock.now() + HOUR;
        const far = 9_007_199_254_000_000;
        await store.counters.add('t', 'w', { start: 1, end }, far);
        assert.deepEqual(await store.counters.add('t', 'w', { start: 1, end }, 1), { ok: true, total: far + 1 });
        assert.deepEqual(await store.counters.add('t', 'w', { start: 2, end }, 1), { ok: true, total: 1 });
      });
    });

    describe('definitions', () => {
      const see = (server: string, ...shown: ShownDefinition[]) => store.definitions.see('t', server, shown);

      test('a listing that names one definition twice is refused whole', async () => {
        await assert.rejects(see('twice', tool('a', { v: 1 }), tool('a', { v: 2 })), isBadName);
        assert.deepEqual(await store.definitions.all('t', 'twice'), []);
      });

      test('tells what is new, what changed and what is known', async () => {
        const [a, b] = [tool('a', { v: 1 }), tool('b', { v: 1 })];
        assert.deepEqual(await see('git', a), ['new']);
        assert.deepEqual(await see('git', b, tool('a', { v: 2 })), ['new', 'changed']);
        assert.deepEqual(await see('git', tool('a', { v: 2 }), b), ['known', 'known']);
        assert.deepEqual(await see('git', { ...a, kind: 'prompt' }), ['new']);
        assert.deepEqual(await see('git'), []);
      });

      test('keeps every version with its exact text, also of one that comes back', async () => {
        const first = { ...tool('drift', { n: 1 }), body: '{ "n": 1.0, "big": 12345678901234567890 }' };
        const start = clock.now();
        await see('history', first);
        clock.advance(1_000);
        await see('history', first);
        clock.advance(1_000);
        await see('history', tool('drift', { n: 2 }));
        clock.advance(1_000);
        assert.deepEqual(await see('history', first), ['changed']);
        const versions = await store.definitions.history('t', 'history', 'tool', 'drift', 10);
        assert.deepEqual(
          versions.map(({ ordinal, body, firstSeen, lastSeen, replaced }) => [
            ordinal,
            body,
            firstSeen - start,
            lastSeen - start,
            replaced && replaced - start,
          ]),
          [
            [3, first.body, 3_000, 3_000, undefined],
            [2, '{"n":2}', 2_000, 2_000, 3_000],
            [1, first.body, 0, 1_000, 2_000],
          ],
        );
        assert.deepEqual(await store.definitions.current('t', 'history', 'tool', 'drift'), versions[0]);
        assert.equal((await store.definitions.history('t', 'history', 'tool', 'drift', 1)).length, 1);
      });

      test('two replicas that see two versions at once keep both, and each novelty is told once', async () => {
        const show = (i: number) => (i % 2 ? store : replica).definitions.see('t', 'torn', [tool('x', { v: i % 2 })]);
        const told = (await Promise.all(FIFTY.map(show))).flat();
        const versions = await store.definitions.history('t', 'torn', 'tool', 'x', 100);
        assert.equal(told.filter((sighting) => sighting === 'new').length, 1);
        assert.equal(told.filter((sighting) => sighting !== 'known').length, versions.length);
        assert.equal(versions.filter((version) => version.replaced === undefined).length, 1);
      });

      test('a listing of thousands is kept in one go, all of it', async () => {
        const shown = Array.from({ length: 4_500 }, (_, i) => tool(`t${i}`, { i }));
        assert.deepEqual(new Set(await see('large', ...shown)), new Set(['new']));
        assert.equal((await store.definitions.all('t', 'large')).length, 4_500);
      });

      test('lists the current version of everything a server showed, by kind and name', async () => {
        await see('list', tool('b', {}), tool('a', {}), { ...tool('z', {}), kind: 'prompt' });
        const listed = await store.definitions.all('t', 'list');
        assert.deepEqual(
          listed.map(({ kind, name }) => `${kind} ${name}`),
          ['prompt z', 'tool a', 'tool b'],
        );
        assert.equal(await store.definitions.current('t', 'list', 'tool', 'nope'), undefined);
      });
    });

    describe('watch', () => {
      test('tells nothing of other tenants, other collections, or writes that lost', async () => {
        const heard: (string | undefined)[] = [];
        const stop = store.records.watch('ears', 'mine', (key) => heard.push(key));
        await store.records.put('ears', 'other', 'a', { value: '1', expected: 'any' });
        await store.records.put('mouths', 'mine', 'b', { value: '1', expected: 'any' });
        await store.records.put('ears', 'mine', 'c', { value: '1', expected: 4 });
        await store.records.put('ears', 'mine', 'last', { value: '1', expected: 'any' });
        await until(() => heard.includes('last'));
        stop();
        assert.deepEqual(
          heard.filter((key) => key !== undefined),
          ['last'],
        );
      });

      test('tells of every put and remove in this process by key', async () => {
        const heard: (string | undefined)[] = [];
        const stop = store.records.watch('ears', 'all', (key) => heard.push(key));
        await store.records.put('ears', 'all', 'a', { value: '1', expected: 'absent' });
        await store.records.put('ears', 'all', 'b', { value: '1', expected: 'any' });
        await store.records.remove('ears', 'all', 'a', 'any');
        await until(() => heard.filter((key) => key === 'a').length >= 2 && heard.includes('b'));
        stop();
        assert.deepEqual(
          heard.filter((key) => key !== undefined),
          ['a', 'b', 'a'],
        );
      });

      test('tells of changes by another process, by key or as "anything"', async () => {
        const told = Promise.withResolvers<string | undefined>();
        const stop = store.records.watch('ears', 'far', told.resolve);
        await replica.records.put('ears', 'far', 'k', { value: '1', expected: 'any' });
        const key = await within(told.promise);
        stop();
        assert.ok(key === 'k' || key === undefined);
        assert.equal((await store.records.get('ears', 'far', 'k'))?.value, '1');
      });

      test('tells of new and changed definitions by server, and not of known ones', async () => {
        const heard: (string | undefined)[] = [];
        const stop = store.definitions.watch('ears', (server) => heard.push(server));
        for (const v of [1, 1, 2, 2]) await store.definitions.see('ears', 's', [tool('a', { v })]);
        await store.definitions.see('ears', 'end', [tool('a', {})]);
        await until(() => heard.includes('end'));
        stop();
        assert.deepEqual(
          heard.filter((server) => server !== undefined),
          ['s', 's', 'end'],
        );
      });

      test('tells nothing after it was stopped', async () => {
        const heard: (string | undefined)[] = [];
        const stop = store.records.watch('ears', 'stopped', (key) => heard.push(key));
        stop();
        const told = Promise.withResolvers<string | undefined>();
        const stopOther = store.records.watch('ears', 'stopped', told.resolve);
        await store.records.put('ears', 'stopped', 'a', { value: '1', expected: 'any' });
        await within(told.promise);
        stopOther();
        assert.deepEqual(heard, []);
      });
    });

    describe('life', () => {
      test('a closed store refuses everything, says so, and can be closed again', async () => {
        const closed = await opened.reopen();
        await closed.close();
        await closed.close();
        await assert.rejects(closed.records.get('t', 'c', 'k'), hasCode('STORE_CLOSED'));
        await assert.rejects(closed.uses.consume('t', 'n', clock.now() + 1), hasCode('STORE_CLOSED'));
        assert.equal((await closed.health()).ok, false);
      });

      test('what was asked for before closing is answered', async () => {
        const brief = await opened.reopen();
        const answer = brief.records.put('t', 'life', 'k', { value: '1', expected: 'any' });
        await brief.close();
        assert.equal(typeof (await answer), 'number');
      });

      test('a later start finds everything', async () => {
        const first = await opened.reopen();
        await first.records.put('life', 'c', 'k', { value: '"kept"', expected: 'any' });
        await first.definitions.see('life', 's', [tool('t', {})]);
        await first.close();
        const second = await opened.reopen();
        assert.equal((await second.records.get('life', 'c', 'k'))?.value, '"kept"');
        assert.equal((await second.definitions.all('life', 's')).length, 1);
        assert.deepEqual(await second.health(), { ok: true });
        await second.close();
      });
    });

    test('a later start forgets what ended days ago; fences grow all the same, and what lives is kept', async () => {
      const fresh = await open(clock);
      const first = fresh.store;
      await first.uses.consume('sweep', 'nonce', clock.now() + 1);
      const before = await first.leases.acquire('sweep', 'lease', 'me', 1);
      await first.records.put('sweep', 'c', 'k', { value: '1', expected: 'any' });
      clock.advance(HOUR / 2);
      assert.equal(await (await fresh.reopen()).uses.consume('sweep', 'nonce', clock.now() + 1), false);
      clock.advance(72 * HOUR);
      const later = await fresh.reopen();
      assert.equal(await later.uses.consume('sweep', 'nonce', clock.now() + 1), true);
      const after = await later.leases.acquire('sweep', 'lease', 'me', 1);
      assert.ok(before.ok && after.ok && after.lease.fence > before.lease.fence + 1);
      assert.equal((await later.records.get('sweep', 'c', 'k'))?.value, '1');
      await fresh.close();
    });

    test('replicas that start at once on an empty database all open', async () => {
      const fresh = await open(clock);
      const others = await Promise.all([fresh.reopen(), fresh.reopen(), fresh.reopen()]);
      for (const other of others) assert.deepEqual(await other.health(), { ok: true });
      await fresh.close();
    });
  });
}

function tool(name: string, body: unknown): ShownDefinition {
  return { kind: 'tool', name, digest: canonicalDigest(body), body: JSON.stringify(body) };
}

const hasCode = (code: string) => (error: unknown) => error instanceof StoreError && error.code === code;
const isBadName = hasCode('STORE_BAD_NAME');

async function within<Value>(promise: Promise<Value>): Promise<Value> {
  const stop = new AbortController();
  const late = wait(TOLD_WITHIN, undefined, { signal: stop.signal }).then(() =>
    assert.fail('nothing was told in time'),
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
    await late.catch(() => undefined);
  }
}

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + TOLD_WITHIN;
  while (!holds()) {
    assert.ok(performance.now() < end, 'nothing was told in time');
    await wait(5);
  }
}
