import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hasLoneSurrogate, isCleanName, parseJson, splice } from './json.ts';
import type { Doc, Edit, Json, JsonFault, Path } from './json.ts';
import { readSlowly } from './slow.ts';

const LIMITS = { bytes: 1 << 20, depth: 64 };

function parse(text: string): Doc {
  const parsed = parseJson(Buffer.from(text), LIMITS);
  assert.ok(parsed.ok, `${text}: ${parsed.ok ? '' : parsed.detail}`);
  return parsed.doc;
}

function fault(input: string | Buffer, limits = LIMITS): { fault: JsonFault; offset: number; detail: string } {
  const parsed = parseJson(typeof input === 'string' ? Buffer.from(input) : input, limits);
  assert.ok(!parsed.ok, `accepted: ${String(input)}`);
  return { fault: parsed.fault, offset: parsed.offset, detail: parsed.detail };
}

test('duplicate names are refused at any depth, in any spelling, and the second one is pointed at', () => {
  assert.deepEqual(fault('{"a":1,"b":2,"a":3}'), {
    fault: 'duplicate_key',
    offset: 13,
    detail: 'the member "a" appears twice in one object',
  });
  for (const [text, offset] of [
    ['{"a":1,"\\u0061":2}', 7],
    ['[[{"x":{"é":1,"\\u00e9":2}}]]', 15],
    ['{"__proto__":1,"__proto__":2}', 15],
    ['{"1":1,"1":1}', 7],
    ['{"":0,"":0}', 6],
    ['{"a":{"b":1},"a":{"b":1,"c":[{"d":1}]}}', 13],
    ['{"\\ud800":0,"\\uD800":1}', 12],
  ] as const) {
    const found = fault(text);
    assert.deepEqual([found.fault, found.offset], ['duplicate_key', offset], text);
  }
});

test('bytes that are not UTF-8 are refused, and the first of them is named', () => {
  const cases: [number[], number][] = [
    [[0x22, 0xff, 0x22], 1],
    [[0x22, 0x61, 0xc3, 0x22], 2],
    [[0x22, 0xed, 0xa0, 0x80, 0x22], 1],
    [[0x22, 0xc0, 0x80, 0x22], 1],
    [[0x22, 0xf4, 0x90, 0x80, 0x80, 0x22], 1],
  ];
  for (const [bytes, offset] of cases) {
    const found = fault(Buffer.from(bytes));
    assert.deepEqual([found.fault, found.offset], ['utf8', offset], String(bytes));
  }
});

test('a byte order mark, an empty document and one over the size limit are refused', () => {
  assert.equal(fault('\ufeff{}').fault, 'bom');
  assert.equal(fault('').fault, 'empty');
  assert.deepEqual(fault('[1,2,3]', { bytes: 6, depth: 9 }), {
    fault: 'too_large',
    offset: 6,
    detail: '7 bytes, at most 6 allowed',
  });
});

test('nesting over the limit is refused, also in text that is broken, and nesting at the limit is not', () => {
  assert.deepEqual(fault('[[[[]]]]', { bytes: 99, depth: 3 }), {
    fault: 'too_deep',
    offset: 3,
    detail: 'nested deeper than 3 levels',
  });
  assert.equal(fault('['.repeat(1_000_000)).fault, 'too_deep');
  assert.equal(fault('{}', { bytes: 99, depth: 0 }).fault, 'too_deep');
  assert.ok(parseJson(Buffer.from('[{"a":[]}]'), { bytes: 99, depth: 3 }).ok);
  assert.equal(parse(`"${'['.repeat(500)}"`).value, '['.repeat(500), 'brackets in strings do not nest');
});

test('broken syntax is refused with the place and what stands there', () => {
  const cases: [string, number, RegExp][] = [
    ['{"a":1}x', 7, /nothing more after the document, found 'x'/],
    ['{"a" 1}', 5, /':' after a member name, found '1'/],
    ['{"a":1,}', 7, /member name in double quotes, found '}'/],
    ['[1,]', 3, /a value, found '\]'/],
    ['[1 2]', 3, /',' or '\]'/],
    ['{"é":tru}', 6, /a value, found 't'/],
    ['"a\nb"', 2, /no raw control character in a string, found byte 0x0a/],
    ['"\\x"', 2, /a JSON escape/],
    ['"\\u12g4"', 2, /a JSON escape/],
    ['"abc', 4, /closing quote, found the end/],
    ['01', 1, /nothing more/],
    ['  ', 2, /a value, found the end/],
    ['{"a":1', 6, /',' or '}'/],
    ["{'a':1}", 1, /double quotes/],
    ['NaN', 0, /a value, found 'N'/],
    ['"\\', 2, /./],
  ];
  for (const [text, offset, detail] of cases) {
    const found = fault(text);
    assert.equal(found.fault, 'syntax', text);
    assert.equal(found.offset, offset, text);
    assert.match(found.detail, detail);
  }
});

test('names with control characters, lone surrogates or nothing in them are not clean', () => {
  for (const name of ['', 'a\0', 'a\nb', '\u007f', '\u0085', 'a\ud800', '\udc00b'])
    assert.equal(isCleanName(name), false);
  for (const name of ['tools/call', 'día 😀', ' x ']) assert.equal(isCleanName(name), true);
  assert.equal(hasLoneSurrogate('a\ud83d'), true);
  assert.equal(hasLoneSurrogate('😀'), false);
});

test('an escaped name is read as it is spelled, whatever documents came before', () => {
  // nodejs/node#63785: the first document teaches JSON.parse that a name starting with a backslash is a backslash
  parse('{"q":1,"\\\\":2}');
  JSON.parse('{"q":1,"\\\\":2}');
  for (const [spelled, name] of [
    ['\\u0061', 'a'],
    ['\\"', '"'],
    ['\\n', '\n'],
    ['\\u006eame', 'name'],
  ]) {
    assert.deepEqual(Object.keys(parse(`{"q":1,"${spelled}":2}`).value as object), ['q', name]);
  }
  assert.equal(fault('{"q":1,"\\u0071":2}').fault, 'duplicate_key');
});

test('large integers, odd numbers, lone surrogates and __proto__ survive', () => {
  const text = '{"big":12345678901234567890,"zero":-0,"huge":1e400,"half":"\\ud83d","__proto__":{"x":1}}';
  const doc = parse(text);
  assert.equal(doc.raw(['big']), '12345678901234567890');
  assert.equal(doc.raw(['zero']), '-0');
  assert.equal(doc.raw(['huge']), '1e400');
  assert.equal(doc.raw(['half']), '"\\ud83d"');
  assert.deepEqual(Object.keys(doc.value as object), ['big', 'zero', 'huge', 'half', '__proto__']);
  assert.equal(doc.raw(['__proto__', 'x']), '1');
  assert.equal(splice(doc, []).toString(), text);
});

test('a path that leads nowhere has no span', () => {
  const doc = parse('{"a":[1,{"b":"x"}],"n":null}');
  for (const path of [['b'], ['a', 2], ['a', '0'], ['a', 1, 'b', 0], ['n', 'x'], [0], ['a', -1], ['toString']]) {
    assert.equal(doc.span(path), undefined, JSON.stringify(path));
    assert.equal(doc.raw(path), undefined);
  }
});

test('edits that cannot be done exactly throw', () => {
  const doc = parse('{"a":{"b":[1,2]},"c":3}');
  const edits: Edit[][] = [
    [{ op: 'remove', path: [] }],
    [{ op: 'remove', path: ['x'] }],
    [{ op: 'replace', path: ['x'], json: '1' }],
    [{ op: 'set', path: ['x', 'y'], json: '1' }],
    [{ op: 'set', path: ['c', 'y'], json: '1' }],
    [{ op: 'set', path: ['a', 0], json: '1' }],
    [{ op: 'set', path: ['a', 'b', 3], json: '1' }],
    [{ op: 'set', path: ['a', 'b', 'x'], json: '1' }],
    [{ op: 'replace', path: ['c'], json: '1,"admin":true' }],
    [{ op: 'replace', path: ['c'], json: '' }],
    [{ op: 'replace', path: ['c'], json: '"\ud800"' }],
    [remove('a'), remove('a', 'b')],
    [remove('a', 'b'), remove('a')],
    [remove('a'), remove('a')],
    [{ op: 'replace', path: [], json: '1' }, remove('c')],
    [remove('c'), { op: 'replace', path: [], json: '1' }],
    [remove('a'), { op: 'set', path: ['a', 'n'], json: '1' }],
    [{ op: 'set', path: ['a', 'n'], json: '1' }, remove('a')],
    [
      { op: 'set', path: ['n'], json: '1' },
      { op: 'set', path: ['n'], json: '2' },
    ],
  ];
  for (const list of edits) assert.throws(() => splice(doc, list), RangeError, JSON.stringify(list));
});

function remove(...path: (string | number)[]): Edit {
  return { op: 'remove', path };
}

test('removal takes the comma along, wherever the member stands', () => {
  const text = '{ "a" : 1 , "b" : 2 , "c" : 3 }';
  const left = (...names: string[]): string =>
    splice(
      parse(text),
      names.map((name) => remove(name)),
    ).toString();
  assert.equal(left('a'), '{ "b" : 2 , "c" : 3 }');
  assert.equal(left('b'), '{ "a" : 1 , "c" : 3 }');
  assert.equal(left('c'), '{ "a" : 1 , "b" : 2 }');
  assert.equal(left('c', 'a'), '{ "b" : 2 }');
  assert.equal(left('b', 'c'), '{ "a" : 1 }');
  assert.equal(left('a', 'b'), '{ "c" : 3 }');
  assert.equal(left('a', 'b', 'c'), '{  }');
});

test('members are added to full, empty and emptied containers', () => {
  const added = (text: string, ...edits: Edit[]): string => splice(parse(text), edits).toString();
  assert.equal(added('{"a":1}', { op: 'set', path: ['é"'], json: '2' }), '{"a":1,"é\\"":2}');
  assert.equal(added('{ }', { op: 'set', path: ['a'], json: '2' }), '{"a":2 }');
  assert.equal(added('{"a":1}', remove('a'), { op: 'set', path: ['b'], json: '2' }), '{"b":2}');
  assert.equal(added('[1 ,2 ]', remove(1), { op: 'set', path: [2], json: '3' }), '[1,3 ]');
  const two: Edit[] = [
    { op: 'set', path: [0], json: '1' },
    { op: 'set', path: [1], json: '2' },
  ];
  assert.equal(added('[]', ...two), '[1,2]');
  assert.equal(added(' {"a":1} ', { op: 'replace', path: [], json: '[]' }), ' [] ');
});

test('a thousand edits deep in a large document are one pass, not a thousand', () => {
  const rows = Array.from({ length: 20_000 }, (_, id) => ({ id, text: 'x'.repeat(20) }));
  const doc = parse(JSON.stringify({ rows }));
  const edits = rows.map((_, index): Edit => ({ op: 'replace', path: ['rows', index, 'text'], json: '"·"' }));
  const started = performance.now();
  const spliced = splice(doc, edits);
  assert.ok(performance.now() - started < 2000);
  assert.deepEqual(JSON.parse(spliced.toString()), { rows: rows.map(({ id }) => ({ id, text: '·' })) });
});

// Properties. A sample knows by construction what it means, whether it repeats a name and how deep it is.

interface Sample {
  readonly text: string;
  /** Put together name by name: JSON.parse is no oracle where names are escaped. */
  readonly value: Json;
  readonly repeats: boolean;
  readonly depth: number;
}

const space = fc.constantFrom('', '', '', ' ', '\n\t', ' \r\n ');
const unit = fc.constantFrom(
  'a',
  'é',
  '😀',
  '\\n',
  '\\"',
  '\\\\',
  '\\u0022',
  '\\ud800',
  '\\/',
  '{',
  ']',
  ':',
  ',',
  ' ',
);
const literal = fc.array(unit, { maxLength: 30 }).map((units) => `"${units.join('')}"`);
const number = fc.constantFrom('0', '-0', '1e400', '-1.5E-2', '12345678901234567890', '7');
const name = fc.constantFrom(
  'a',
  '\\u0061',
  'b',
  'é',
  '\\u00e9',
  '__proto__',
  '1',
  '0',
  'constructor',
  '',
  '\\"',
  '\\\\',
);
const leaf = fc
  .oneof(literal, number, fc.constantFrom('true', 'false', 'null'))
  .map((text): Sample => ({ text, value: JSON.parse(text) as Json, repeats: false, depth: 0 }));

const { sample } = fc.letrec<{ sample: Sample }>((tie) => ({
  sample: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(fc.tuple(space, tie('sample'), space), { maxLength: 5 }).map(arrayOf),
    fc.array(fc.tuple(space, name, space, tie('sample'), space), { maxLength: 4 }).map(objectOf),
  ),
}));

function arrayOf(items: [string, Sample, string][]): Sample {
  const text = `[${items.map(([before, item, after]) => before + item.text + after).join(',')}]`;
  const inner = items.map(([, item]) => item);
  return {
    text,
    value: inner.map((item) => item.value),
    repeats: inner.some((item) => item.repeats),
    depth: below(inner),
  };
}

function objectOf(members: [string, string, string, Sample, string][]): Sample {
  const parts = members.map(([before, key, gap, item, after]) => `${before}"${key}"${gap}:${gap}${item.text}${after}`);
  const inner = members.map(([, , , item]) => item);
  const entries = members.map(([, key, , item]) => [JSON.parse(`"${key}"`) as string, item.value] as const);
  const value = Object.fromEntries(entries);
  const repeats = Object.keys(value).length < members.length || inner.some((item) => item.repeats);
  return { text: `{${parts.join(',')}}`, value, repeats, depth: below(inner) };
}

function below(inner: Sample[]): number {
  return 1 + Math.max(0, ...inner.map((item) => item.depth));
}

test('whatever is JSON without repeated names and within the depth is accepted, with the tree of JSON.parse', () => {
  fc.assert(
    fc.property(sample, fc.integer({ min: 0, max: 5 }), ({ text, value, repeats, depth }, limit) => {
      const parsed = parseJson(Buffer.from(text), { bytes: 1 << 20, depth: limit });
      assert.equal(parsed.ok, !repeats && depth <= limit, text);
      if (parsed.ok) assert.deepEqual(parsed.doc.value, value);
      else if (depth <= limit) assert.equal(parsed.fault, 'duplicate_key');
      else if (!repeats) assert.equal(parsed.fault, 'too_deep');
    }),
    { numRuns: 2000 },
  );
});

test('damaged text is accepted only if JSON.parse accepts it, and the slow pass agrees with the fast one', () => {
  const damage = fc.constantFrom(
    '',
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '1',
    '-',
    '.',
    'e',
    ' ',
    '\0',
    'n',
    '\u00a0',
  );
  fc.assert(
    fc.property(sample, fc.nat(), fc.nat({ max: 2 }), damage, ({ text }, place, cut, put) => {
      const at = place % (text.length + 1);
      const bytes = Buffer.from(text.slice(0, at) + put + text.slice(at + cut));
      const parsed = parseJson(bytes, LIMITS);
      const readable = accepts(bytes.toString());
      if (!readable) assert.ok(!parsed.ok);
      if (readable && !parsed.ok && bytes.length > 0) assert.equal(parsed.fault, 'duplicate_key');
      assert.equal(parsed.ok, bytes.length > 0 && readSlowly(bytes, LIMITS.depth).ok);
    }),
    { numRuns: 4000 },
  );
});

function accepts(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test('every value of every tree stands exactly where its span says', () => {
  fc.assert(
    fc.property(sample, ({ text, repeats }) => {
      fc.pre(!repeats);
      const doc = parse(text);
      for (const path of paths(doc.value)) {
        const span = doc.span(path);
        assert.ok(span, JSON.stringify(path));
        const alone = parse(doc.bytes.toString('utf8', span.start, span.end));
        assert.deepEqual(alone.value, at(doc.value, path));
        assert.equal(doc.raw(path)?.trim(), doc.raw(path));
      }
    }),
    { numRuns: 1000 },
  );
});

test('a spliced document means the edited tree, and everything else in it is spelled as before', () => {
  const draft = fc.record({
    pick: fc.nat(),
    op: fc.constantFrom('replace', 'set', 'remove', 'add'),
    json: fc.constantFrom('1', '"ß"', '[{}]', 'null'),
  });
  fc.assert(
    fc.property(sample, fc.array(draft, { minLength: 1, maxLength: 6 }), ({ text, repeats }, drafts) => {
      fc.pre(!repeats);
      const doc = parse(text);
      const edits = withoutOverlaps(drafts.map((one) => concrete(doc, one)));
      const spliced = parse(splice(doc, edits).toString());
      assert.deepEqual(spliced.value, edited(doc, edits));
      if (edits.some((edit) => edit.op === 'remove')) return;
      for (const path of paths(doc.value)) {
        if (edits.every((edit) => !within(edit.path, path) && !within(path, edit.path))) {
          assert.equal(spliced.raw(path), doc.raw(path));
        }
      }
    }),
    { numRuns: 3000 },
  );
});

test('replacing leaves the bytes between the replaced spans alone', () => {
  fc.assert(
    fc.property(sample, fc.nat(), ({ text, repeats }, pick) => {
      fc.pre(!repeats);
      const doc = parse(text);
      const all = paths(doc.value);
      const path = all[pick % all.length]!;
      const { start, end } = doc.span(path)!;
      const expected = Buffer.concat([doc.bytes.subarray(0, start), Buffer.from('"Ω"'), doc.bytes.subarray(end)]);
      assert.deepEqual(splice(doc, [{ op: 'replace', path, json: '"Ω"' }]), expected);
    }),
  );
});

function paths(value: Json, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return [path, ...keys.flatMap((key) => paths(at(value, [key]), [...path, key]))];
}

function at(value: Json, path: Path): Json {
  return path.reduce<Json>((inner, key) => (inner as Record<string, Json>)[key]!, value);
}

function within(outer: Path, inner: Path): boolean {
  return outer.length <= inner.length && outer.every((key, index) => key === inner[index]);
}

function concrete(doc: Doc, draft: { pick: number; op: string; json: string }): Edit {
  const all = paths(doc.value);
  const path = all[draft.pick % all.length]!;
  const value = at(doc.value, path);
  if (draft.op === 'add' && typeof value === 'object' && value !== null) {
    return { op: 'set', path: [...path, Array.isArray(value) ? value.length : `new ${draft.pick}`], json: draft.json };
  }
  if (draft.op === 'remove' && path.length > 0) return { op: 'remove', path };
  return { op: draft.op === 'set' ? 'set' : 'replace', path, json: draft.json };
}

function withoutOverlaps(edits: Edit[]): Edit[] {
  const kept: Edit[] = [];
  for (const edit of edits) {
    if (kept.every(({ path }) => !within(path, edit.path) && !within(edit.path, path))) kept.push(edit);
  }
  return kept;
}

/** The edits done the naive way, on a copy of the tree. */
function edited(doc: Doc, edits: Edit[]): Json {
  const copy = copied(doc.value);
  const gone = new Set<Json[]>();
  for (const edit of edits) {
    const key = edit.path.at(-1);
    if (key === undefined) return JSON.parse((edit as { json: string }).json) as Json;
    const parent = at(copy, edit.path.slice(0, -1)) as Record<string | number, Json>;
    if (edit.op !== 'remove') parent[key] = JSON.parse(edit.json) as Json;
    else if (!Array.isArray(parent)) Reflect.deleteProperty(parent, key);
    else {
      Reflect.set(parent, key, GONE);
      gone.add(parent);
    }
  }
  for (const list of gone) list.splice(0, list.length, ...list.filter((item) => (item as unknown) !== GONE));
  return copy;
}

function copied(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copied);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copied(inner)]));
}

const GONE = Symbol('removed');
