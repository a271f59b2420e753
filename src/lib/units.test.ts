import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, parseDuration, parseSize, size } from './units.ts';

test('a number without a unit is neither a duration nor a size', () => {
  assert.equal(parseDuration('10'), undefined);
  assert.equal(parseSize('10'), undefined);
  assert.equal(duration.safeParse(10).success, false);
  assert.equal(size.safeParse('10').success, false);
});

test('unknown units, signs and spaces are refused', () => {
  for (const text of ['10 m', '-1s', '1y', '1e3s', '', 's', '1.s']) assert.equal(parseDuration(text), undefined, text);
  for (const text of ['4mb', '4 MiB', '-1B', '4TiB']) assert.equal(parseSize(text), undefined, text);
});

test('durations are milliseconds', () => {
  assert.deepEqual(
    ['250ms', '1.5s', '10m', '2h', '7d'].map(parseDuration),
    [250, 1500, 600_000, 7_200_000, 604_800_000],
  );
});

test('sizes are bytes, decimal and binary', () => {
  assert.deepEqual(['12B', '512KB', '4MiB', '0.5GiB'].map(parseSize), [12, 512_000, 4_194_304, 536_870_912]);
});
