import assert from 'node:assert/strict';
import { verifies } from '../../test/verifies.ts';
import type { Message } from './exchange.ts';
import { docOf, event, fate, hang, result, testHouse } from './house.fixture.ts';

const read = { name: 'read' };
const able = { caps: { elicitation: { url: {} } } };
const ASK =
  '{"mode":"url","elicitationId":"e1","url":"https://login.example.com/?n=12345678901234567890","message":"Sign in"}';

function urlRequired(data: string): Message {
  const doc = docOf(`{"jsonrpc":"2.0","id":0,"error":{"code":-32042,"message":"Sign in first","data":${data}}}`);
  return { kind: 'closing', method: 'tools/call', doc, payload: 'error' };
}

verifies(
  'rounds.exact',
  'addresses that a legacy server wants visited are a question to a modern agent, whose retry calls again',
  async () => {
    const test = await testHouse();
    test.script = ({ outlet }) => outlet.close(urlRequired(`{"elicitations":[${ASK}]}`));
    const { message } = await test.send('tools/call', read, able).over;
    const params = message?.doc.raw(['result', 'inputRequests', 'url-1', 'params']);
    assert.equal(params, ASK.replace('"elicitationId":"e1",', ''));
    const requestState = JSON.parse(message!.doc.raw(['result', 'requestState'])!) as string;
    test.script = ({ outlet }) => outlet.close(result('tools/call', { content: [] }));
    const retry = { ...read, requestState, inputResponses: { 'url-1': { action: 'accept' } } };
    assert.equal(await fate(test.send('tools/call', retry, { ...able, as: 'bob' })), 'retry_mismatch');
    assert.equal(await fate(test.send('tools/call', retry, able)), 'close');
    assert.equal(test.calls.length, 2);
    const of = (type: string) => test.records.filter((record) => record.type === type).length;
    assert.equal(of('outcome'), of('attempt'));
  },
);

verifies('rounds.bounded', 'an agent that opens no addresses is not asked to', async () => {
  const test = await testHouse();
  test.script = ({ outlet }) => outlet.close(urlRequired(`{"elicitations":[${ASK}]}`));
  assert.equal(await fate(test.send('tools/call', read)), 'ask_not_possible');
});

verifies('rounds.exact', 'a legacy agent, and whoever gets no addresses, gets the error as it is', async () => {
  const test = await testHouse();
  test.session('s', able);
  for (const [data, how] of [
    [`{"elicitations":[${ASK}]}`, { era: 'legacy', session: 's' }],
    ['{"elicitations":["https://example.com"]}', able],
    ['{}', able],
  ] as const) {
    test.script = ({ outlet }) => outlet.close(urlRequired(data));
    const { message } = await test.send('tools/call', read, how).over;
    assert.equal(message?.doc.raw(['error', 'data']), data);
  }
});

verifies('answer.expected', 'events of one era have no place at agents of the other', async () => {
  const test = await testHouse();
  test.script = hang;
  const sent = test.send('tools/call', read, able);
  await sent.handling.crossed;
  void test.calls[0]!.outlet.event(event('notifications/elicitation/complete', { elicitationId: 'e1' }));
  assert.equal(sent.said.length, 0);
  sent.handling.cancel('agent_gone');
});
