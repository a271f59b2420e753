import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ration } from './ration.ts';

test('What is beyond the ration of a second is left out, and counted once the second is over.', () => {
  const told: number[] = [];
  const ration = new Ration(3, (count) => told.push(count));
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((now) => ration.take(now)),
    [true, true, true, false, false],
  );
  assert.deepEqual(told, []);
  assert.equal(ration.take(1000), true);
  assert.deepEqual(told, [2]);
});

test('The end tells what was left out last, once.', () => {
  const told: number[] = [];
  const ration = new Ration(1, (count) => told.push(count));
  ration.take(0);
  ration.take(0);
  ration.end();
  ration.end();
  assert.deepEqual(told, [1]);
});
