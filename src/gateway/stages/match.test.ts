import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import type { JsonObject } from '../document.ts';
import { METHODS } from '../methods.ts';
import { asking, event, fate, result, testHouse } from '../house.fixture.ts';

const read = { name: 'read' };
const legacy = { era: 'legacy', session: 's' } as const;

/** What becomes of an ask of a server during a legacy call. */
async function ask(method: string, caps: JsonObject, call = 'tools/call'): Promise<string> {
  const test = await testHouse();
  test.session('s', { caps });
  const answers: string[] = [];
  test.script = ({ outlet }) =>
    outlet.ask(asking(method), (answer) => answers.push('reason' in answer ? answer.reason : 'answered'));
  const params = call === 'completion/complete' ? { ref: { name: 'greet' } } : read;
  const sent = test.send(call, params, legacy);
  await sent.handling.crossed;
  return answers[0] ?? sent.said[0]!.what;
}

verifies(
  'answer.expected',
  'an ask that the agent did not offer, that its call does not allow or that is no ask is refused',
  async () => {
    assert.equal(await ask('sampling/createMessage', { roots: {} }), 'ask_not_possible');
    assert.equal(await ask('sampling/createMessage', { sampling: {} }, 'completion/complete'), 'ask_not_possible');
    assert.equal(await ask('tools/call', { sampling: {} }), 'method_unknown_legacy');
    assert.equal(await ask('sampling/createMessage', { sampling: {} }), 'ask');
  },
);

verifies('answer.expected', 'an ask that has no row is refused on record', async () => {
  const test = await testHouse();
  test.session('s');
  test.script = ({ outlet }) => outlet.ask(asking('shell/run'), () => undefined);
  await test.send('tools/call', read, legacy).handling.crossed;
  assert.deepEqual(
    test.records.map(({ type }) => type),
    ['attempt', 'refusal'],
  );
});

verifies('answer.expected', 'an event without a place in its call is dropped', async () => {
  // What a server takes back must have been asked: see outlet.test.ts.
  const news = METHODS.filter(
    ({ opener, wire, method }) =>
      opener === 'server' && wire === 'notification' && method !== 'notifications/cancelled',
  );
  for (const { method } of [...news, { method: 'notifications/unheard-of' }]) {
    const test = await testHouse();
    test.session('s');
    test.script = ({ outlet }) => void outlet.event(event(method, { level: 'error' }));
    const sent = test.send('tools/call', read, legacy);
    await sent.handling.crossed;
    const row = test.calls[0]!.exchange.row;
    assert.equal(sent.said.length, row.events.includes(method) ? 1 : 0, method);
  }
});

verifies('answer.expected', 'a modern agent that named no level hears no logs', async () => {
  for (const [how, heard] of [
    [{}, 0],
    [legacy, 1],
  ] as const) {
    const test = await testHouse();
    test.session('s');
    test.script = ({ outlet }) => void outlet.event(event('notifications/message', { level: 'error', data: 'x' }));
    const sent = test.send('tools/call', read, how);
    await sent.handling.crossed;
    assert.equal(sent.said.length, heard);
  }
});

verifies('answer.expected', 'asks within a result are held to what the agent offered', async () => {
  const asks = (method: string): JsonObject => ({
    resultType: 'input_required',
    inputRequests: { a: { method, params: {} } },
  });
  const test = await testHouse();
  const ended = (method: string, caps: JsonObject) => {
    test.script = ({ outlet }) => outlet.close(result('tools/call', asks(method)));
    return fate(test.send('tools/call', read, { caps }));
  };
  assert.equal(await ended('elicitation/create', {}), 'ask_not_possible');
  assert.equal(await ended('tools/call', { elicitation: {} }), 'ask_not_possible');
  assert.equal(await ended('elicitation/create', { elicitation: {} }), 'close');
});
