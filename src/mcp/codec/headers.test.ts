import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  checkParamHeaders,
  decodeHeaderValue,
  duplicateHeader,
  encodeHeaderValue,
  headerMismatch,
  mirroredHeaders,
  saysSame,
  trimOws,
} from './headers.ts';
import type { Json } from './json.ts';

const wrapped = (text: string): string => `=?base64?${Buffer.from(text).toString('base64')}?=`;

const schema: Json = {
  type: 'object',
  properties: {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    limits: { type: 'object', properties: { rows: { type: 'integer', 'x-mcp-header': 'Rows' } } },
    dry: { type: 'boolean', 'x-mcp-header': 'Dry-Run' },
    query: { type: 'string' },
  },
};

test('values that HTTP would not carry unharmed, or that are wrapped wrongly, are malformed', () => {
  const bad = [
    'é',
    'a\nb',
    'a\0',
    '\u007f',
    '=?base64?=',
    '=?base64?%%%?=',
    '=?base64?YQ?=',
    '=?base64?YQ==\n?=',
    '=?base64?YR==?=',
    '=?base64?_-8=?=',
    `=?base64?${Buffer.from([0xff]).toString('base64')}?=`,
  ];
  for (const value of bad) assert.equal(decodeHeaderValue(value), undefined, value);
});

test('white space around a value is only space and tab', () => {
  assert.equal(trimOws(' \t a b\t '), 'a b');
  assert.equal(trimOws('\u00a0a\v'), '\u00a0a\v');
  assert.equal(decodeHeaderValue('  x '), 'x');
});

const unit = fc.constantFrom(
  'a',
  'Z',
  '9',
  ' ',
  '\t',
  '\n',
  '\0',
  'é',
  '😀',
  '\u00a0',
  '\u007f',
  '=?base64?',
  '?=',
  ',',
  '"',
);

test('every text comes back from its header value, which is plain where it can be', () => {
  fc.assert(
    fc.property(
      fc.array(unit).map((units) => units.join('')),
      (text) => {
        const value = encodeHeaderValue(text);
        assert.match(value, /^[\t\u0020-\u007e]+$/);
        assert.equal(decodeHeaderValue(value), text);
      },
    ),
  );
  assert.equal(encodeHeaderValue('us-west 1'), 'us-west 1');
  for (const text of ['', ' a', 'a\t', 'é', 'a\nb', wrapped('x'), '=?base64?=']) {
    assert.equal(encodeHeaderValue(text), wrapped(text));
  }
  assert.equal(decodeHeaderValue('=?BASE64?eA==?='), '=?BASE64?eA==?=', 'the mark is lower case');
});

test('an annotation out of place or out of form makes the definition invalid', () => {
  const annotated = { type: 'string', 'x-mcp-header': 'A' };
  const cases: [Json, RegExp][] = [
    [{ 'x-mcp-header': 'A', type: 'string' }, /through properties alone/],
    [{ properties: { a: { type: 'array', items: annotated } } }, /through properties alone/],
    [{ oneOf: [{ properties: { a: annotated } }] }, /through properties alone/],
    [{ if: { properties: { a: annotated } } }, /through properties alone/],
    [{ $defs: { x: annotated } }, /through properties alone/],
    [{ patternProperties: { x: annotated } }, /through properties alone/],
    [{ additionalProperties: annotated }, /through properties alone/],
    [{ properties: { a: { type: 'string', 'x-mcp-header': '' } } }, /not a header name/],
    [{ properties: { a: { type: 'string', 'x-mcp-header': 'a b' } } }, /not a header name/],
    [{ properties: { a: { type: 'string', 'x-mcp-header': 'a\r\nX: y' } } }, /not a header name/],
    [{ properties: { a: { type: 'string', 'x-mcp-header': 7 } } }, /not a header name/],
    [{ properties: { a: { type: 'number', 'x-mcp-header': 'A' } } }, /string, integer or boolean/],
    [{ properties: { a: { type: ['string'], 'x-mcp-header': 'A' } } }, /string, integer or boolean/],
    [{ properties: { a: { 'x-mcp-header': 'A' } } }, /string, integer or boolean/],
    [{ properties: { a: annotated, b: { type: 'string', 'x-mcp-header': 'a' } } }, /repeats the header name "a"/],
  ];
  for (const [definition, reason] of cases) {
    const checked = checkParamHeaders(definition);
    assert.ok(!checked.ok, JSON.stringify(definition));
    assert.match(checked.reason, reason);
  }
});

test('annotations are found at any depth of properties, and a property of that name is no annotation', () => {
  assert.deepEqual(checkParamHeaders(schema), {
    ok: true,
    headers: [
      { name: 'Region', path: ['region'], type: 'string' },
      { name: 'Rows', path: ['limits', 'rows'], type: 'integer' },
      { name: 'Dry-Run', path: ['dry'], type: 'boolean' },
    ],
  });
  assert.deepEqual(checkParamHeaders({ properties: { 'x-mcp-header': { type: 'number' } } }), {
    ok: true,
    headers: [],
  });
  assert.deepEqual(checkParamHeaders(undefined), { ok: true, headers: [] });
});

test('headers that differ from the body are found', () => {
  const params = { name: 'sql', arguments: { region: 'eu', limits: { rows: 42 }, dry: null } };
  const right: Record<string, string> = {
    'mcp-method': 'tools/call',
    'mcp-name': 'sql',
    'mcp-param-region': 'eu',
    'mcp-param-rows': '42.0',
    'mcp-param-other': 'anything',
  };
  const check = (changes: Record<string, string | undefined>): string | undefined => {
    const headers = { ...right, ...changes };
    const found = headerMismatch((name) => headers[name], 'tools/call', params, schema);
    return found === undefined ? undefined : `${found.name} ${found.reason}`;
  };
  assert.equal(check({ 'mcp-method': undefined }), 'Mcp-Method missing');
  assert.equal(check({ 'mcp-method': 'tools/list' }), 'Mcp-Method different');
  assert.equal(check({ 'mcp-method': wrapped('tools/call') }), 'Mcp-Method different');
  assert.equal(check({ 'mcp-name': undefined }), 'Mcp-Name missing');
  assert.equal(check({ 'mcp-name': 'SQL' }), 'Mcp-Name different');
  assert.equal(check({ 'mcp-name': '=?base64?!?=' }), 'Mcp-Name malformed');
  assert.equal(check({ 'mcp-param-region': undefined }), 'Mcp-Param-Region missing');
  assert.equal(check({ 'mcp-param-region': 'us' }), 'Mcp-Param-Region different');
  assert.equal(check({ 'mcp-param-rows': '42.5' }), 'Mcp-Param-Rows different');
  assert.equal(check({ 'mcp-param-dry-run': 'true' }), 'Mcp-Param-Dry-Run unexpected');
  assert.equal(check({}), undefined);
  assert.equal(check({ 'mcp-name': ` ${wrapped('sql')}` }), undefined);
});

test('integers are compared by value, everything else letter by letter', () => {
  const same: [string, Json][] = [
    ['42', 42],
    ['42.0', 42],
    ['-7', -7],
    ['true', true],
    ['false', false],
    ['', ''],
    ['42', '42'],
  ];
  for (const [text, argument] of same) assert.equal(saysSame(text, argument), true, text);
  const different: [string, Json][] = [
    ['42', 43],
    ['0x2a', 42],
    ['4.2e1', 42],
    [' 42', 42],
    ['', 0],
    ['True', true],
    ['1', true],
    ['42.0', '42'],
    ['9007199254740993', 9007199254740992],
    ['9007199254740992', 9007199254740992],
    ['1.5', 1.5],
    ['null', null],
    ['[object Object]', {}],
    ['1', [1]],
  ];
  for (const [text, argument] of different) assert.equal(saysSame(text, argument), false, text);
});

test('headers are computed from the message, and what cannot be said has none', () => {
  const call = { name: 'día', arguments: { region: ' eu', limits: { rows: 7 }, dry: false, query: 'x' } };
  assert.deepEqual(mirroredHeaders('tools/call', call, schema), [
    { name: 'Mcp-Method', value: 'tools/call' },
    { name: 'Mcp-Name', value: wrapped('día') },
    { name: 'Mcp-Param-Region', value: wrapped(' eu') },
    { name: 'Mcp-Param-Rows', value: '7' },
    { name: 'Mcp-Param-Dry-Run', value: 'false' },
  ]);
  const odd = { name: 'sql', arguments: { region: 7, limits: { rows: 1.5 }, dry: null } };
  assert.equal(mirroredHeaders('tools/call', odd, schema).length, 2);
  assert.equal(mirroredHeaders('tools/call', { name: 'a\ud800' }, undefined).length, 1);
  const inherited = mirroredHeaders(
    'tools/call',
    { name: 'x', arguments: {} },
    {
      properties: { constructor: { properties: { name: { type: 'string', 'x-mcp-header': 'A' } } } },
    },
  );
  assert.equal(inherited.length, 2);
});

test('each method is named by its own member', () => {
  const name = (method: string, params: { [key: string]: Json }): string | undefined =>
    mirroredHeaders(method, params, undefined).find((header) => header.name === 'Mcp-Name')?.value;
  const params = { name: 'n', uri: 'file:///u', taskId: 't' };
  assert.equal(name('prompts/get', params), 'n');
  assert.equal(name('resources/read', params), 'file:///u');
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) assert.equal(name(method, params), 't');
  assert.equal(name('tools/list', params), undefined);
});

test('a critical header that stands twice is found, whatever its case', () => {
  assert.equal(duplicateHeader(['Host', 'a', 'host', 'a']), 'host');
  assert.equal(duplicateHeader(['Mcp-Param-X', '1', 'mcp-param-x', '1']), 'mcp-param-x');
  for (const name of [
    'Authorization',
    'Content-Type',
    'Content-Length',
    'Origin',
    'Transfer-Encoding',
    'Mcp-Session-Id',
  ]) {
    assert.equal(duplicateHeader(['Accept', 'x', name, 'a', 'Via', 'y', name.toUpperCase(), 'b']), name.toLowerCase());
  }
  assert.equal(
    duplicateHeader(['Accept', 'a', 'Accept', 'b', 'Host', 'a', 'X-Host', 'b', 'Cookie', 'host']),
    undefined,
  );
});
