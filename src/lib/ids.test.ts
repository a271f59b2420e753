import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from './clock.ts';
import { newId } from './ids.ts';

test('no two of a hundred thousand ids of one millisecond are alike', () => {
  const clock = manualClock();
  const ids = new Set(Array.from({ length: 100_000 }, () => newId(clock)));
  assert.equal(ids.size, 100_000);
});

test('ids sort by time as text', () => {
  const clock = manualClock(0);
  const ids = Array.from({ length: 200 }, () => {
    clock.advance(7_919_000_003);
    return newId(clock);
  });
  assert.deepEqual(ids.toSorted(), ids);
});

test('an id is 32 characters of lower-case letters and digits', () => {
  assert.match(newId(manualClock()), /^[0-9a-z]{32}$/);
});

test('every random character takes every value', () => {
  const clock = manualClock();
  const seen = Array.from({ length: 22 }, () => new Set<string>());
  for (let i = 0; i < 5_000; i += 1) {
    const random = newId(clock).slice(10);
    for (const [place, values] of seen.entries()) values.add(random.charAt(place));
  }
  assert.deepEqual(new Set(seen.map((values) => values.size)), new Set([32]));
});
