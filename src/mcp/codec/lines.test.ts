import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineReader, toLine } from './lines.ts';

function read(chunks: Iterable<Buffer | string>, limit = 1 << 20): { lines: string[]; faults: number } {
  const heard = { lines: [] as string[], faults: 0 };
  const reader = new LineReader(
    { line: limit },
    { line: (line) => heard.lines.push(line.toString()), fault: () => heard.faults++ },
  );
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  reader.end();
  reader.push(Buffer.from('late\n'));
  return heard;
}

test('a line over the limit is one fault, skipped whole, and the next line is read', () => {
  const long = 'x'.repeat(11);
  const bytewise = long.split('');
  assert.deepEqual(read([`${long}\nok\n`], 10), { lines: ['ok'], faults: 1 });
  assert.deepEqual(read(['xxxxxx', 'xxxxxx', 'xxxx', 'x\nok\n'], 10), { lines: ['ok'], faults: 1 });
  assert.deepEqual(read([...bytewise, '\n', ...bytewise, '\r\n', 'ok\r\n'], 10), { lines: ['ok'], faults: 2 });
  assert.deepEqual(read(['x'.repeat(40)], 10), { lines: [], faults: 1 });
  assert.deepEqual(read(['x'.repeat(10), '\r', '\n'], 10), { lines: ['x'.repeat(10)], faults: 0 });
});

test('CRLF is tolerated, blank lines are ignored, and a last line needs no end', () => {
  assert.deepEqual(read(['{"a":1}\r\n\n \t\r\n{"b":"\r"}\n{"c"']).lines, ['{"a":1}', '{"b":"\r"}', '{"c"']);
});

test('however the bytes are cut, the same lines come out', () => {
  const text = fc.array(fc.constantFrom('{}', 'é😀', '\n', '\r\n', ' ')).map((parts) => Buffer.from(parts.join('')));
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 5 }), (bytes, size) => {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      assert.deepEqual(read(pieces), read([bytes]));
    }),
  );
});

test('a pretty-printed document becomes one line that means the same', () => {
  const value = { a: [1, 'x\ny', { b: 'é' }], c: null };
  for (const pretty of [JSON.stringify(value, null, 2), JSON.stringify(value, null, 2).replaceAll('\n', '\r\n')]) {
    const line = toLine(Buffer.from(pretty));
    assert.equal(line.indexOf(0x0a), line.length - 1);
    assert.equal(line.includes(0x0d), false);
    assert.deepEqual(JSON.parse(line.toString()), value);
  }
  assert.equal(toLine('{}').toString(), '{}\n');
});
