import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editDistance, nearest } from './distance.ts';

test('a word that resembles none is not guessed', () => {
  assert.equal(nearest('zebra', ['listen', 'servers']), undefined);
  assert.equal(nearest('x', []), undefined);
  assert.equal(nearest('a'.repeat(100_000), ['a']), undefined);
});

test('each slip costs one: insertion, removal, replacement, swap', () => {
  assert.equal(editDistance('comand', 'command'), 1);
  assert.equal(editDistance('commmand', 'command'), 1);
  assert.equal(editDistance('xommand', 'command'), 1);
  assert.equal(editDistance('ocmmand', 'command'), 1);
  assert.equal(editDistance('', 'abc'), 3);
});

test('the nearest word is found whatever its case', () => {
  assert.equal(nearest('Isolaton', ['era', 'isolation', 'idle']), 'isolation');
});
