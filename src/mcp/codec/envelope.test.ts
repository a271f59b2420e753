import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  idAt,
  readMessage,
  writeError,
  writeNotification,
  writeRequest,
  writeResult,
  type Envelope,
  type Refusal,
} from './envelope.ts';
import { parseJson } from './json.ts';

const LIMITS = { bytes: 4096, depth: 8 };

function refused(text: string): Refusal {
  const read = readMessage(Buffer.from(text), LIMITS);
  assert.ok(!read.ok, `accepted: ${text}`);
  return read;
}

function envelope(text: string): Envelope {
  const read = readMessage(Buffer.from(text), LIMITS);
  assert.ok(read.ok, read.ok ? '' : read.message);
  return read.envelope;
}

test('a batch is refused, even of one message', () => {
  const { code, id, message } = refused('[{"jsonrpc":"2.0","id":1,"method":"ping"}]');
  assert.deepEqual([code, id], [-32600, undefined]);
  assert.match(message, /batch .* one by one/);
});

test('what is not strict JSON is refused with the place and what to do', () => {
  const cases: [string, number, RegExp][] = [
    ['', -32700, /empty; send one JSON-RPC message/],
    ['{"jsonrpc":', -32700, /at byte 11: expected a value, found the end/],
    ['\ufeff{}', -32700, /byte order mark; send the JSON text without it/],
    ['{"id":1,"id":2}', -32600, /at byte 8: the member "id" appears twice .* may stand once/],
    ['[[[[[[[[[', -32600, /at byte 8: nested deeper than 8 levels; send a flatter/],
    [`"${'x'.repeat(5000)}"`, -32600, /too large: 5002 bytes, at most 4096/],
    ['"hello"', -32600, /not a JSON object/],
    ['null', -32600, /not a JSON object/],
  ];
  for (const [text, code, message] of cases) {
    const refusal = refused(text);
    assert.equal(refusal.code, code, text);
    assert.match(refusal.message, message);
    assert.equal(refusal.id, undefined);
  }
  const notUtf8 = readMessage(Buffer.from([0x22, 0xff, 0x22]), LIMITS);
  assert.ok(!notUtf8.ok && notUtf8.code === -32700 && /at byte 1: .*send valid UTF-8/.test(notUtf8.message));
});

test('a wrong envelope is refused, and answered by its id where that can be read', () => {
  const cases: [string, RegExp][] = [
    ['"method":"ping"', /"jsonrpc" must be "2.0"/],
    ['"jsonrpc":2.0,"method":"ping"', /"jsonrpc"/],
    ['"jsonrpc":"1.0","method":"ping"', /"jsonrpc"/],
    ['"jsonrpc":"2.0"', /exactly one of .* found 0/],
    ['"jsonrpc":"2.0","result":{},"error":{"code":1,"message":""}', /found 2/],
    ['"jsonrpc":"2.0","method":"ping","result":{}', /found 2/],
    ['"jsonrpc":"2.0","method":7', /"method" must be a string/],
    ['"jsonrpc":"2.0","method":""', /"method"/],
    ['"jsonrpc":"2.0","method":"tools/\\u0000call"', /"method"/],
    ['"jsonrpc":"2.0","method":"a\\ud800"', /"method"/],
    ['"jsonrpc":"2.0","method":"a","params":[1]', /"params" must be an object/],
    ['"jsonrpc":"2.0","method":"a","params":null', /"params"/],
    ['"jsonrpc":"2.0","error":{"code":1.5,"message":""}', /integer "code"/],
    ['"jsonrpc":"2.0","error":{"code":1}', /string "message"/],
    ['"jsonrpc":"2.0","error":null', /"error" must hold/],
    ['"jsonrpc":"2.0","error":{"__proto__":{"code":1,"message":"x"}}', /"error" must hold/],
  ];
  for (const [members, message] of cases) {
    const refusal = refused(`{"id":"q-1",${members}}`);
    assert.deepEqual([refusal.code, refusal.id], [-32600, '"q-1"'], members);
    assert.match(refusal.message, message);
  }
});

test('an id that is null, not a scalar, fractional, or an integer to some peers only is refused', () => {
  const ids = ['null', 'true', '{}', '[1]', '1.5', '1.0', '1e2', '-0', `"${'x'.repeat(300)}"`, '9'.repeat(300)];
  for (const id of ids) {
    const refusal = refused(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`);
    assert.deepEqual([refusal.code, refusal.id], [-32600, undefined], id);
    assert.match(refusal.message, /"id" must be a string or an integer/);
  }
  assert.match(refused('{"jsonrpc":"2.0","id":null,"result":{}}').message, /"id"/);
  assert.match(refused('{"jsonrpc":"2.0","result":{}}').message, /needs the "id"/);
});

test('names that the prototype has are not members of the message', () => {
  assert.match(refused('{"__proto__":{"jsonrpc":"2.0","method":"ping"}}').message, /"jsonrpc"/);
});

test('ids keep their type and every digit, and strings are one however they are escaped', () => {
  const id = (source: string): string | undefined => {
    const read = envelope(`{"id":${source},"jsonrpc":"2.0","result":{}}`);
    return read.kind === 'result' ? read.id : undefined;
  };
  assert.equal(id('1'), '1');
  assert.equal(id('"1"'), '"1"');
  assert.equal(id('-12345678901234567890'), '-12345678901234567890');
  assert.equal(id('"\\u00e9"'), '"é"');
  assert.equal(id('"é"'), '"é"');
  assert.equal(id('"\\ud800"'), '"\\ud800"');
});

test('an id is read wherever it stands: cancelled requests, subscriptions, progress tokens', () => {
  const parsed = parseJson(Buffer.from('{"params":{"requestId":7,"reason":"x","n":null}}'), LIMITS);
  assert.ok(parsed.ok);
  assert.equal(idAt(parsed.doc, ['params', 'requestId']), '7');
  assert.equal(idAt(parsed.doc, ['params', 'n']), undefined);
  assert.equal(idAt(parsed.doc, ['params', 'none']), undefined);
});

test('the four kinds of message are told apart, and unknown members do not matter', () => {
  assert.deepEqual(envelope('{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1},"new":true}'), {
    kind: 'request',
    id: '1',
    method: 'm',
    params: { a: 1 },
  });
  assert.deepEqual(envelope('{"jsonrpc":"2.0","method":"m"}'), {
    kind: 'notification',
    method: 'm',
    params: undefined,
  });
  assert.deepEqual(envelope('{"result":null,"id":"a","jsonrpc":"2.0"}'), { kind: 'result', id: '"a"', result: null });
  const error = { code: -32601, message: 'no', data: [1] };
  assert.deepEqual(envelope(`{"jsonrpc":"2.0","id":1,"error":${JSON.stringify(error)}}`), {
    kind: 'error',
    id: '1',
    error,
  });
});

test('an error may come without an id, or with null as JSON-RPC 2.0 §5 writes it', () => {
  const error = { code: -32700, message: 'Parse error' };
  for (const id of ['', '"id":null,']) {
    const read = envelope(`{"jsonrpc":"2.0",${id}"error":${JSON.stringify(error)}}`);
    assert.deepEqual(read, { kind: 'error', id: undefined, error });
  }
});

test('what is written is read again as the same message, and an error without an id omits it', () => {
  assert.deepEqual(envelope(writeRequest('"é"', 'tools/call', '{"n":1}')), {
    kind: 'request',
    id: '"é"',
    method: 'tools/call',
    params: { n: 1 },
  });
  assert.equal(writeNotification('n/x'), '{"jsonrpc":"2.0","method":"n/x"}');
  assert.equal(
    writeResult('12345678901234567890', '{"a":1e400}'),
    '{"jsonrpc":"2.0","id":12345678901234567890,"result":{"a":1e400}}',
  );
  assert.equal(
    writeError(undefined, -32700, 'no "text"'),
    '{"jsonrpc":"2.0","error":{"code":-32700,"message":"no \\"text\\""}}',
  );
  assert.equal(
    writeError('7', 1, 'm', '{"x":1}'),
    '{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"m","data":{"x":1}}}',
  );
});
