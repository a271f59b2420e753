import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalDigest, canonicalJson } from './canonical-json.ts';

/** RFC 8785, appendix B: IEEE 754 bits and their canonical text. */
const NUMBERS: readonly (readonly [bits: string, text: string])[] = [
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['8000000000000001', '-5e-324'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
  ['ffefffffffffffff', '-1.7976931348623157e+308'],
  ['4340000000000000', '9007199254740992'],
  ['c340000000000000', '-9007199254740992'],
  ['4430000000000000', '295147905179352830000'],
  ['44b52d02c7e14af5', '9.999999999999997e+22'],
  ['44b52d02c7e14af6', '1e+23'],
  ['44b52d02c7e14af7', '1.0000000000000001e+23'],
  ['444b1ae4d6e2ef4e', '999999999999999700000'],
  ['444b1ae4d6e2ef4f', '999999999999999900000'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['41b3de4355555554', '333333333.33333325'],
  ['41b3de4355555555', '333333333.3333333'],
  ['41b3de4355555556', '333333333.3333334'],
  ['41b3de4355555557', '333333333.33333343'],
  ['becbf647612f3696', '-0.0000033333333333333333'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
];

const double = (bits: string) => Buffer.from(bits, 'hex').readDoubleBE();

test('refuses what JSON cannot hold', () => {
  for (const value of [undefined, () => 1, Symbol('s'), [undefined], { a: undefined }, new Date(0), new Map()]) {
    assert.throws(() => canonicalJson(value), TypeError);
  }
});

test('refuses the numbers of RFC 8785 appendix B that are not numbers', () => {
  for (const bits of ['7fffffffffffffff', '7ff0000000000000', 'fff0000000000000']) {
    assert.throws(() => canonicalJson(double(bits)), TypeError);
  }
});

test('refuses lone surrogates in values and in keys', () => {
  assert.throws(() => canonicalJson('\ud800'), TypeError);
  assert.throws(() => canonicalJson({ '\udead': 1 }), TypeError);
});

test('writes the numbers of RFC 8785 appendix B', () => {
  for (const [bits, text] of NUMBERS) assert.equal(canonicalJson(double(bits)), text, bits);
});

test('sorts keys by UTF-16 code units as in RFC 8785 §3.2.3', () => {
  const names = ['\u20ac', '\r', '\ufb33', '1', '\ud83d\ude00', '\u0080', '\u00f6'];
  const sorted = ['\r', '1', '\u0080', '\u00f6', '\u20ac', '\ud83d\ude00', '\ufb33'];
  const text = canonicalJson(Object.fromEntries(names.map((name, index) => [name, index])));
  assert.equal(text, `{${sorted.map((name) => `${JSON.stringify(name)}:${names.indexOf(name)}`).join(',')}}`);
});

test('writes the example of RFC 8785 §3.2.4, byte by byte', () => {
  const source = String.raw`{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}`;
  assert.equal(
    canonicalJson(JSON.parse(source)),
    String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
  );
});

test('keeps big integers apart that a double would make equal', () => {
  assert.notEqual(canonicalDigest({ amount: 9007199254740993n }), canonicalDigest({ amount: 9007199254740992n }));
  assert.equal(canonicalJson([5n, 5]), '[5,5]');
});

test('sees an own __proto__ key as data', () => {
  assert.equal(canonicalJson(JSON.parse('{"b":1,"__proto__":{"a":2}}')), '{"__proto__":{"a":2},"b":1}');
});

test('any JSON value means the same after canonicalization, and canonicalizing again changes nothing', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
      const text = canonicalJson(JSON.parse(JSON.stringify(value)));
      assert.equal(canonicalJson(JSON.parse(text)), text);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
    }),
  );
});
