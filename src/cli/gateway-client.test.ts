import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rpcAnswer } from './gateway-client.ts';

const answer = (type: string, text: string) => rpcAnswer({ status: 200, type, text });

test('what is no JSON-RPC answer is none', () => {
  for (const text of ['', 'null', '[]', '{"method":"x"}', '<html>'])
    assert.equal(answer('application/json', text), undefined);
  assert.equal(answer('text/event-stream', ': nothing\n\n'), undefined);
});

test('an answer is the whole body', () => {
  assert.deepEqual(answer('application/json', '{"id":1,"error":{"code":403}}'), { id: 1, error: { code: 403 } });
});

test('in a stream the answer comes after the events, over as many data lines as it likes', () => {
  const stream = 'data: {"method":"notifications/progress"}\r\n\r\nid: 2\ndata: {"id":1,\ndata: "result":{}}\n\n';
  assert.deepEqual(answer('text/event-stream; charset=utf-8', stream), { id: 1, result: {} });
});
