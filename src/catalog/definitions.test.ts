import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../gateway/document.ts';
import { parseJson } from '../mcp/codec/json.ts';
import { digestOf } from './definitions.ts';

function digest(text: string): string | undefined {
  const body = Buffer.from(text);
  const parsed = parseJson(body, { bytes: 10_000, depth: 64 });
  assert.ok(parsed.ok);
  return digestOf(body, parsed.doc.value as Json);
}

test('definitions that differ in the last digit of a huge integer have different digests', () => {
  assert.notEqual(digest('{"maximum":9007199254740993}'), digest('{"maximum":9007199254740992}'));
  assert.notEqual(digest('{"a":[{"x":12345678901234567890}]}'), digest('{"a":[{"x":12345678901234567891}]}'));
});

test('an escaped member name beside a huge integer is read as what it is, whatever was read before', () => {
  JSON.parse('{"q":1,"\\\\":2}');
  const huge = '"max":9007199254740993';
  assert.notEqual(digest(`{"q":1,"\\u00e9":2,${huge}}`), digest(`{"q":1,"\\\\":2,${huge}}`));
  assert.equal(digest(`{"q":1,"\\u00e9":2,${huge}}`), digest(`{"q":1,"é":2,${huge}}`));
});

test('the order of members and the spelling of numbers do not change a digest', () => {
  assert.equal(digest('{"a":1.0,"b":[1e2]}'), digest('{ "b": [100], "a": 1 }'));
});

test('a member named __proto__ counts', () => {
  assert.notEqual(
    digest('{"max":9007199254740993,"__proto__":{"a":1}}'),
    digest('{"max":9007199254740993,"__proto__":{"a":2}}'),
  );
});
