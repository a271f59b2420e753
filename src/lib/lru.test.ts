import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lru } from './lru.ts';

test('refuses a capacity below one', () => {
  assert.throws(() => new Lru(0), RangeError);
  assert.throws(() => new Lru(1.5), RangeError);
});

test('forgets the least recently used entry first', () => {
  const lru = new Lru<string, number>(2);
  lru.set('a', 1);
  lru.set('b', 2);
  assert.equal(lru.get('a'), 1);
  lru.set('c', 3);
  assert.deepEqual([lru.get('a'), lru.get('b'), lru.get('c')], [1, undefined, 3]);
});

test('never grows beyond its capacity', () => {
  const lru = new Lru<number, number>(10);
  for (let i = 0; i < 1_000; i += 1) lru.set(i, i);
  assert.equal(lru.size, 10);
});

test('setting a key again replaces its value and makes it recent', () => {
  const lru = new Lru<string, number>(2);
  lru.set('a', 1);
  lru.set('b', 2);
  lru.set('a', 3);
  lru.set('c', 4);
  assert.deepEqual([lru.get('a'), lru.get('b'), lru.size], [3, undefined, 2]);
});

test('delete and clear forget', () => {
  const lru = new Lru<string, number>(3);
  lru.set('a', 1);
  lru.set('b', 2);
  assert.equal(lru.delete('a'), true);
  assert.equal(lru.delete('a'), false);
  lru.clear();
  assert.equal(lru.size, 0);
});

test('keeps the order of use whatever is used again and again, deleted and set anew', () => {
  const lru = new Lru<string, number>(2);
  lru.set('a', 1);
  lru.get('a');
  lru.get('a');
  lru.set('b', 2);
  lru.delete('b');
  lru.set('b', 3);
  lru.get('a');
  lru.set('c', 4);
  assert.deepEqual([lru.get('a'), lru.get('b'), lru.get('c')], [1, undefined, 4]);
});
