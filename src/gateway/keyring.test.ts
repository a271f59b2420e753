import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../lib/clock.ts';
import { openKeyring, type KeyRecord, type KeyStore } from './keyring.ts';

const DAY = 86_400_000;
const BINDING = ['https://login.example.com', 'ana', 'claude-code'];
const OPTIONS = { rotateAfter: 10 * DAY, keepFor: 5 * DAY };

/** A ring in memory; `late` lets a test hold every add until two replicas have loaded. */
function memoryKeys(late: Promise<void> = Promise.resolve()): KeyStore & { records: KeyRecord[] } {
  const records: KeyRecord[] = [];
  return {
    records,
    load: async () => [...records],
    add: async (record, newest) => {
      await late;
      if (records.at(-1)?.id !== newest) return false;
      records.push(record);
      return true;
    },
  };
}

async function setUp() {
  const clock = manualClock();
  const keys = memoryKeys();
  const ring = await openKeyring(keys, clock, OPTIONS);
  const claims = { expires: clock.now() + DAY, session: 's-1' };
  return { clock, keys, ring, claims, token: ring.seal('session', claims, BINDING) };
}

const fault = (name: string) => ({ ok: false, fault: name });

test('every change of a single bit is refused', async () => {
  const { ring, token } = await setUp();
  const bytes = Buffer.from(token, 'latin1');
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(ring.open('session', changed.toString('latin1'), BINDING).ok, false, `bit ${bit}`);
  }
});

test('every change of a single bit under the base64url is refused', async () => {
  const { ring, token } = await setUp();
  const bytes = Buffer.from(token, 'base64url');
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const expected = bit < 48 ? 'unknown_key' : 'forged';
    assert.deepEqual(ring.open('session', changed.toString('base64url'), BINDING), fault(expected), `bit ${bit}`);
  }
});

test('a token that is cut, lengthened, or spelled another way is refused', async () => {
  const { ring, token } = await setUp();
  for (const length of [0, 1, 8, token.length - 4, token.length - 1]) {
    assert.equal(ring.open('session', token.slice(0, length), BINDING).ok, false);
  }
  for (const other of [
    `${token}A`,
    `${token}=`,
    ` ${token}`,
    `${token}\n`,
    token.replace(/(.{9})/, '$1 '),
    'x'.repeat(1e5),
  ]) {
    assert.deepEqual(ring.open('session', other, BINDING), fault('malformed'));
  }
});

test('a token for one purpose does not open for another', async () => {
  const { ring, token } = await setUp();
  for (const purpose of ['', 'cursor', 'session ', 'Session']) {
    assert.deepEqual(ring.open(purpose, token, BINDING), fault('forged'));
  }
});

test('a token does not open with another binding, also where the parts join to the same text', async () => {
  const { ring, claims, token } = await setUp();
  for (const other of [[], ['x'], BINDING.toReversed(), BINDING.slice(1), [...BINDING, ''], [BINDING.join('')]]) {
    assert.deepEqual(ring.open('session', token, other), fault('wrong_binding'));
  }
  const pair = ring.seal('session', claims, ['a', 'bc']);
  for (const other of [['ab', 'c'], ['a","bc'], ['abc', ''], ['a', 'b', 'c']]) {
    assert.deepEqual(ring.open('session', pair, other), fault('wrong_binding'));
  }
});

test('a token is refused from the millisecond at which it expires', async () => {
  const { clock, ring, claims, token } = await setUp();
  clock.advance(DAY - 1);
  assert.deepEqual(ring.open('session', token, BINDING), { ok: true, claims });
  clock.advance(1);
  assert.deepEqual(ring.open('session', token, BINDING), fault('expired'));
  const timeless = ring.seal('session', { expires: Number.NaN }, BINDING);
  assert.deepEqual(ring.open('session', timeless, BINDING), fault('expired'));
});

test('a token of another gateway is refused as of an unknown key', async () => {
  const { token } = await setUp();
  const other = await setUp();
  assert.deepEqual(other.ring.open('session', token, BINDING), fault('unknown_key'));
});

test('what was sealed opens with its claims unchanged, from visible ASCII with the key id in front', async () => {
  const { clock, keys, ring } = await setUp();
  const claims = { expires: clock.now() + 1, text: 'é\u0000😀', list: [1, null, { a: true }], empty: '' };
  const token = ring.seal('cursor', claims, []);
  assert.match(token, /^[A-Za-z0-9_-]+$/);
  assert.ok(token.startsWith(keys.records[0]?.id ?? '?'));
  assert.deepEqual(ring.open('cursor', token, []), { ok: true, claims });
});

test('a token shows nothing of its claims, and no two tokens are alike', async () => {
  const { ring, claims, token } = await setUp();
  assert.ok(!Buffer.from(token, 'base64url').includes('s-1'));
  const tokens = new Set(Array.from({ length: 1_000 }, () => ring.seal('session', claims, BINDING)));
  assert.equal(tokens.size, 1_000);
});

test('claims that are too long for a token are refused when they are sealed', async () => {
  const { ring, claims } = await setUp();
  assert.throws(() => ring.seal('session', { ...claims, more: 'x'.repeat(65_536) }, BINDING), RangeError);
});

test('two replicas that start at once agree on one key, and each opens what the other sealed', async () => {
  const bothLoaded = Promise.withResolvers<void>();
  const keys = memoryKeys(bothLoaded.promise);
  const clock = manualClock();
  const starting = [openKeyring(keys, clock), openKeyring(keys, clock)] as const;
  setImmediate(bothLoaded.resolve);
  const [one, two] = await Promise.all(starting);
  assert.equal(keys.records.length, 1);
  const claims = { expires: clock.now() + 1 };
  assert.deepEqual(two.open('p', one.seal('p', claims, BINDING), BINDING), { ok: true, claims });
  assert.deepEqual(one.open('p', two.seal('p', claims, BINDING), BINDING), { ok: true, claims });
});

test('a new key follows when the newest is old, and seals only after every replica had time to learn of it', async () => {
  const { clock, keys, ring } = await setUp();
  const claims = { expires: clock.now() + 100 * DAY };
  const sealedBy = () => keys.records.findIndex(({ id }) => ring.seal('p', claims, []).startsWith(id));
  clock.advance(10 * DAY - 1);
  await ring.refresh();
  assert.equal(keys.records.length, 1);
  clock.advance(1);
  await ring.refresh();
  assert.equal(keys.records.length, 2);
  assert.equal(sealedBy(), 0);
  clock.advance(60_000);
  assert.equal(sealedBy(), 1);
});

test('an old key opens what it sealed until its end, and nothing afterwards', async () => {
  const { clock, keys, ring } = await setUp();
  const claims = { expires: clock.now() + 100 * DAY };
  const token = ring.seal('p', claims, BINDING);
  clock.advance(10 * DAY);
  await ring.refresh();
  clock.advance(4 * DAY);
  assert.equal(ring.open('p', token, BINDING).ok, true);
  clock.advance((keys.records[0]?.ends ?? 0) - clock.now());
  assert.deepEqual(ring.open('p', token, BINDING), fault('unknown_key'));
});

test('a gateway that was down for longer than its keys live starts with a new one that seals at once', async () => {
  const { clock, keys } = await setUp();
  clock.advance(100 * DAY);
  const ring = await openKeyring(keys, clock, OPTIONS);
  const claims = { expires: clock.now() + 1 };
  assert.ok(ring.seal('p', claims, []).startsWith(keys.records[1]?.id ?? '?'));
});

test('a ring whose keys have all ended seals nothing', async () => {
  const { clock, ring, claims } = await setUp();
  clock.advance(100 * DAY);
  assert.throws(() => ring.seal('session', claims, BINDING), /no living key/);
});

test('sealing and opening take microseconds', async (t) => {
  const { ring, claims, token } = await setUp();
  const fastest = (work: () => unknown) => {
    const rounds = Array.from({ length: 40 }, () => {
      const start = performance.now();
      for (let i = 0; i < 500; i += 1) work();
      return ((performance.now() - start) / 500) * 1_000;
    });
    return Math.min(...rounds);
  };
  const seal = fastest(() => ring.seal('session', claims, BINDING));
  const open = fastest(() => ring.open('session', token, BINDING));
  t.diagnostic(`seal ${seal.toFixed(1)} µs, open ${open.toFixed(1)} µs`);
  assert.ok(seal < 100 && open < 100, 'an order of magnitude above the budget of 15 µs: something is wrong');
});
