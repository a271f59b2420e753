import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coloured, table } from './terminal.ts';

test('a hostile cell cannot move the cursor', () => {
  assert.equal(table([['a\u001b[2Jb', 'c']]), 'a\\u{1b}[2Jb  c');
});

test('nothing is coloured elsewhere than on a terminal', () => {
  assert.equal(coloured('red', 'x', { isTTY: false }), 'x');
});

test('columns are as wide as their widest cell, and lines end with their text', () => {
  assert.equal(
    table([
      ['a', 'b'],
      ['long', ''],
    ]),
    'a     b\nlong',
  );
});
