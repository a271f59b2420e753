import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sseComment, sseEvent, SseReader } from './sse.ts';

interface Heard {
  events: { event: string; data: string; id?: string }[];
  ids: string[];
  retries: number[];
  faults: string[];
}

function hear(chunks: Iterable<Buffer | string>, limit = 1 << 20): Heard {
  const heard: Heard = { events: [], ids: [], retries: [], faults: [] };
  const reader = new SseReader(
    { event: limit },
    {
      event: (event) => heard.events.push({ ...event, data: event.data.toString() }),
      id: (id) => heard.ids.push(id),
      retry: (ms) => heard.retries.push(ms),
      fault: ({ fault }) => heard.faults.push(fault),
    },
  );
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  reader.end();
  return heard;
}

function datas(...chunks: string[]): string[] {
  return hear(chunks).events.map(({ data }) => data);
}

test('an event over the limit is a fault, nothing of it comes out, and nothing after it', () => {
  const fine = 'data: ok\n\n';
  for (const chunks of [[`${fine}data: ${'x'.repeat(100)}\n\n${fine}`], [fine, 'data: ', 'x'.repeat(100)]]) {
    const heard = hear(chunks, 64);
    assert.deepEqual(heard.faults, ['too_large']);
    assert.deepEqual(heard.events, [{ event: 'message', data: 'ok' }]);
  }
  assert.deepEqual(hear(['data: 1\n'.repeat(20), '\n'], 64).faults, ['too_large'], 'many small lines count together');
  assert.deepEqual(hear([`:${'x'.repeat(100)}`], 64).faults, ['too_large'], 'so does a comment without an end');
});

test('a stream that ends inside an event is a fault, and the event is dropped', () => {
  for (const rest of ['data: x', 'data: x\n', 'dat']) {
    const heard = hear(['data: 1\n\n', rest]);
    assert.deepEqual([heard.events.length, heard.faults], [1, ['truncated']]);
  }
  assert.deepEqual(hear(['data: 1\n\n', 'id: 7\n']).faults, []);
});

test('fields that would break out of their line are not written', () => {
  assert.throws(() => sseEvent('x', { id: '1\ndata: forged' }), RangeError);
  assert.throws(() => sseEvent('x', { event: 'a\rb' }), RangeError);
  assert.throws(() => sseEvent('x', { id: 'a\0' }), RangeError);
  assert.throws(() => sseEvent('x', { retry: 1.5 }), RangeError);
  assert.throws(() => sseComment('a\n\ndata: forged'), RangeError);
});

test('an id with NUL and a retry that is not all digits are ignored', () => {
  const heard = hear(['id: a\0b\nretry: 12x\nretry: -1\nretry:\ndata: 1\n\n']);
  assert.deepEqual(heard, { events: [{ event: 'message', data: '1' }], ids: [], retries: [], faults: [] });
});

test('lines end with LF, CR or CRLF, also when the chunk ends between the two', () => {
  assert.deepEqual(datas('data: 1\r\ndata: 2\rdata: 3\n\r\n'), ['1\n2\n3']);
  assert.deepEqual(datas('data: 1\r', '\ndata: 2\r', '\n\r', '\n'), ['1\n2']);
  assert.deepEqual(datas('data: 1\r\r', '\n', 'data: 2\r\r'), ['1', '2']);
  assert.deepEqual(datas('data: 1\r', '', '\n\r', '', '\ndata: 2\n\n'), ['1', '2']);
});

test('the examples of the standard are read as it says', () => {
  assert.deepEqual(datas('data: YHOO\ndata: +2\ndata: 10\n\n'), ['YHOO\n+2\n10']);
  const stream = ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n';
  assert.deepEqual(hear([stream]).events, [
    { event: 'message', data: 'first event', id: '1' },
    { event: 'message', data: 'second event', id: '' },
    { event: 'message', data: ' third event', id: '' },
  ]);
  assert.deepEqual(datas('data\n\ndata\ndata\n\n'), ['', '\n']);
  assert.deepEqual(datas('data:test\n\ndata: test\n\n'), ['test', 'test']);
});

test('one byte order mark at the start is skipped, even in pieces, and no other', () => {
  const mark = Buffer.from('\ufeff');
  assert.deepEqual(hear([mark.subarray(0, 1), mark.subarray(1), 'data: 1\n\n']).events.length, 1);
  assert.deepEqual(hear([mark, mark, 'data: 1\n\n']).events.length, 0);
  assert.deepEqual(datas('data: 0\n\n', '\ufeffdata: 1\n\n'), ['0']);
});

test('a priming event is an event without a message, and a block without data still tells its id and retry', () => {
  assert.deepEqual(hear(['id: s::1\nretry: 5000\ndata: \n\n']), {
    events: [{ event: 'message', data: '', id: 's::1' }],
    ids: ['s::1'],
    retries: [5000],
    faults: [],
  });
  assert.deepEqual(hear(['event: x\nid: 2\nretry: 1\n\ndata: 3\n\n']), {
    events: [{ event: 'message', data: '3', id: '2' }],
    ids: ['2'],
    retries: [1],
    faults: [],
  });
});

test('comments alone keep a stream open for ever without filling it', () => {
  assert.deepEqual(hear([': ping\n'.repeat(1000), 'data: 1\n\n'], 64).events.length, 1);
});

test('a handler may end the reading', () => {
  let count = 0;
  const reader: SseReader = new SseReader(
    { event: 99 },
    {
      event: () => {
        count++;
        reader.end();
      },
      fault: () => assert.fail(),
    },
  );
  reader.push(Buffer.from('data: 1\n\ndata: 2\n\ndata'));
  reader.push(Buffer.from('data: 3\n\n'));
  assert.equal(count, 1);
});

test('however a stream is cut into chunks, the same is heard', () => {
  const piece = fc.constantFrom(
    'data: ä😀',
    'data',
    'data:x',
    ':c',
    'id: é',
    'event: e',
    'retry: 9',
    'x',
    '',
    '',
    '\n',
  );
  const stream = fc.array(fc.tuple(piece, fc.constantFrom('\n', '\r', '\r\n')), { maxLength: 30 });
  fc.assert(
    fc.property(stream, fc.array(fc.nat({ max: 12 }), { minLength: 1 }), (lines, sizes) => {
      const bytes = Buffer.from(lines.flat().join(''));
      assert.deepEqual(hear(cut(bytes, sizes)), hear([bytes]));
      assert.deepEqual(hear(cut(bytes, [1])), hear([bytes]));
    }),
  );
});

function* cut(bytes: Buffer, sizes: number[]): Generator<Buffer> {
  let turn = 0;
  for (let at = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    // empty chunks are fine, but not for ever
    const end = at + (turn > 100 ? Math.max(1, size) : size);
    yield bytes.subarray(at, end);
    at = end;
  }
}

test('a megabyte fed byte by byte takes time in proportion', () => {
  const event = Buffer.from(`data: ${'x'.repeat(1 << 20)}\n\n`);
  const started = performance.now();
  const heard = hear(cut(event, [1]), 2 << 20);
  assert.equal(heard.events[0]?.data.length, 1 << 20);
  assert.ok(performance.now() - started < 5000);
});

test('what is written is read again, line ends in the data included', () => {
  const data = fc.array(fc.constantFrom('{', 'ß', '\n', '\r\n', '\r', ' ', ':', '"')).map((parts) => parts.join(''));
  fc.assert(
    fc.property(data, (text) => {
      const written = sseEvent(Buffer.from(text), { id: '7', event: 'message', retry: 10 });
      assert.deepEqual(hear([written, sseComment('alive'), sseComment()]), {
        events: [{ event: 'message', data: text.replaceAll(/\r\n|\r/g, '\n'), id: '7' }],
        ids: ['7'],
        retries: [10],
        faults: [],
      });
    }),
  );
  assert.equal(sseEvent('{}', { event: 'message' }).toString(), 'event: message\ndata: {}\n\n');
  assert.equal(sseComment().toString(), ':\n\n');
});
