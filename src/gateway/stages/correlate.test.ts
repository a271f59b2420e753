import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import { METHODS } from '../methods.ts';
import { asking, fate, hang, result, testHouse, type SendOptions } from '../house.fixture.ts';

const read = { name: 'read' };
const legacy = { era: 'legacy', session: 's' } as const;

verifies('method.default-deny', 'a method that has no row is refused in both eras', async () => {
  const test = await testHouse();
  test.session('s');
  assert.equal(await fate(test.send('tools/delete')), 'method_unknown');
  assert.equal(await fate(test.send('tools/delete', {}, legacy)), 'method_unknown_legacy');
  assert.equal(test.calls.length + test.own.length, 0);
});

verifies('method.default-deny', 'a method of the other era is refused', async () => {
  const test = await testHouse();
  test.session('s');
  for (const row of METHODS.filter(({ opener, wire }) => opener === 'agent' && wire === 'request')) {
    const eras = (['modern', 'legacy'] as const).filter((era) => !row.eras.includes(era));
    for (const era of eras) {
      const ended = await fate(test.send(row.method, {}, { era, session: 's' }));
      assert.match(ended, /^method_unknown/, `${row.method} ${era}`);
    }
  }
});

verifies(
  'method.default-deny',
  'a request without an id, a verb in a body and a request by a verb are refused',
  async () => {
    const test = await testHouse();
    test.session('s');
    const wrong: readonly (readonly [string, SendOptions])[] = [
      ['tools/call', { raw: '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"read"}}' }],
      ['session/end', { ...legacy, verb: 'POST' }],
      ['tools/list', { ...legacy, verb: 'GET' }],
    ];
    for (const [method, how] of wrong) assert.match(await fate(test.send(method, {}, how)), /^method_unknown/, method);
    assert.equal(test.calls.length + test.own.length, 0);
  },
);

verifies(
  'session.bound',
  'a legacy request without a session, with an unknown one or with that of another is refused',
  async () => {
    const test = await testHouse();
    test.session('s', { as: 'bob' });
    test.session('other-door', { endpoint: { kind: 'server', server: 'files' } });
    assert.equal(await fate(test.send('tools/call', read, { era: 'legacy' })), 'session_missing');
    for (const session of ['none', 's', 'other-door']) {
      assert.equal(await fate(test.send('tools/call', read, { era: 'legacy', session })), 'session_unknown', session);
    }
    assert.equal(await fate(test.send('tools/call', read, { ...legacy, as: 'bob' })), 'close');
  },
);

verifies('session.bound', 'a request id in flight is refused a second time and free again afterwards', async () => {
  const test = await testHouse();
  test.session('s');
  test.script = hang;
  await test.send('tools/call', read, { ...legacy, id: 7 }).handling.crossed;
  assert.equal(await fate(test.send('tools/call', read, { ...legacy, id: 7 })), 'request_id_in_use');
  test.calls[0]!.outlet.close(result('tools/call'));
  const again = test.send('tools/call', read, { ...legacy, id: 7 });
  await again.handling.crossed;
  assert.equal(test.calls.length, 2);
});

verifies('session.bound', 'an answer to nobody, from another principal or without a session is dropped', async () => {
  const test = await testHouse();
  test.session('s', { caps: { roots: {} } });
  test.session('b', { as: 'bob', caps: { roots: {} } });
  const answers: string[] = [];
  test.script = ({ outlet }) =>
    outlet.ask(asking('roots/list'), (answer) => answers.push('reason' in answer ? answer.reason : answer.method));
  const sent = test.send('tools/call', read, legacy);
  await sent.handling.crossed;
  const id = sent.said[0]!.exchange!.requestId!;
  assert.equal(await fate(test.answer('s', '99', {})), 'answer_unexpected');
  assert.equal(await fate(test.answer('b', id, {}, { as: 'bob' })), 'answer_unexpected');
  assert.equal(await fate(test.answer('s', id, {}, { as: 'bob' })), 'session_unknown');
  assert.deepEqual(answers, []);
  assert.equal(await fate(test.answer('s', id, { roots: [] })), 'accept');
  assert.deepEqual(answers, ['roots/list']);
});

verifies('session.bound', 'progress that could mean the asks of two servers is dropped', async () => {
  const test = await testHouse();
  test.session('s', { caps: { elicitation: {} } });
  test.script = ({ outlet }) =>
    outlet.ask(asking('elicitation/create', { _meta: { progressToken: 'p' } }), () => undefined);
  await test.send('tools/call', { name: 'files.read' }, { ...legacy, id: 1 }).handling.crossed;
  assert.equal(await fate(test.send('notifications/progress', { progressToken: 'p' }, legacy)), 'accept');
  await test.send('tools/call', { name: 'web.read' }, { ...legacy, id: 2 }).handling.crossed;
  assert.equal(await fate(test.send('notifications/progress', { progressToken: 'p' }, legacy)), 'event_unexpected');
});

verifies('session.bound', 'an agent that hung up before its message had an exchange gets none', async () => {
  const test = await testHouse();
  const sent = test.send('tools/call', read);
  sent.handling.cancel('agent_gone');
  await sent.handling.crossed;
  assert.equal(test.calls.length, 0);
});
