import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import { asking, event, fate, hang, result, testHouse } from '../house.fixture.ts';

const read = { name: 'read' };
const legacy = { era: 'legacy', session: 's' } as const;

verifies(
  'forward.once',
  'a server that cannot even be asked leaves an attempt with an outcome and one word to the agent',
  async () => {
    const test = await testHouse();
    test.script = () => {
      throw new Error('broken');
    };
    const sent = test.send('tools/call', read);
    assert.equal(await fate(sent), 'stage_failed');
    assert.equal(sent.said.length, 1);
    assert.deepEqual(
      test.records.map(({ type }) => type),
      ['attempt', 'outcome'],
    );
    assert.equal(test.house.ledger.size, 0);
  },
);

verifies('forward.once', 'a server that fails and then throws is told of once', async () => {
  const test = await testHouse();
  test.script = ({ outlet }) => {
    outlet.fail('upstream_unavailable', 'refused');
    throw new Error('broken');
  };
  const sent = test.send('tools/call', read);
  await sent.handling.crossed;
  assert.deepEqual(
    sent.said.map(({ verdict }) => verdict?.reason),
    ['upstream_unavailable'],
  );
});

verifies(
  'forward.once',
  'a permitted call reaches its server once, a list the catalog, a ping the gateway',
  async () => {
    const test = await testHouse();
    test.session('s');
    await test.send('tools/call', read).over;
    await test.send('tools/list').over;
    await test.send('ping', {}, legacy).over;
    assert.deepEqual(
      test.calls.map(({ exchange }) => exchange.row.method),
      ['tools/call'],
    );
    assert.deepEqual(
      test.own.map(({ exchange }) => exchange.row.method),
      ['tools/list', 'ping'],
    );
  },
);

verifies('forward.once', 'a progress event of the agent reaches the one who asked, and is accepted', async () => {
  const test = await testHouse();
  test.session('s', { caps: { elicitation: {} } });
  test.script = ({ outlet }) =>
    outlet.ask(asking('elicitation/create', { _meta: { progressToken: 'p' } }), () => undefined);
  await test.send('tools/call', read, legacy).handling.crossed;
  assert.equal(await fate(test.send('notifications/progress', { progressToken: 'q' }, legacy)), 'event_unexpected');
  assert.equal(await fate(test.send('notifications/progress', { progressToken: 'p' }, legacy)), 'accept');
});

verifies('forward.once', 'what is cancelled by name is cancelled at its server', async () => {
  const test = await testHouse();
  test.session('s');
  test.script = hang;
  const sent = test.send('tools/call', read, { ...legacy, id: 7 });
  await sent.handling.crossed;
  assert.equal(await fate(test.send('notifications/cancelled', { requestId: 8 }, legacy)), 'event_unexpected');
  assert.equal(test.calls[0]!.cancelled, undefined);
  assert.equal(await fate(test.send('notifications/cancelled', { requestId: 7 }, legacy)), 'accept');
  assert.equal(test.calls[0]!.cancelled, 'agent_cancelled');
  assert.equal(await fate(sent), 'cancelled');
});

verifies(
  'forward.once',
  'a verb of the legacy transport is performed, and the DELETE that ends its session is not cancelled by it',
  async () => {
    const test = await testHouse();
    test.session('s');
    const perform = () => test.core.endSession('s', 'session_ended');
    const sent = test.send('session/end', {}, { ...legacy, reply: { perform } });
    await sent.handling.crossed;
    assert.deepEqual(
      test.records.flatMap((record) => (record.type === 'outcome' ? [record.status] : [])),
      ['result'],
    );
    assert.equal(test.house.ledger.size, 0);
  },
);

verifies('release.ordered', 'an event that comes after the answer is dropped', async () => {
  const test = await testHouse();
  test.script = ({ outlet }) => {
    outlet.close(result('tools/call'));
    void outlet.event(event('notifications/progress', { progressToken: 1, progress: 1 }));
    outlet.close(result('tools/call', { second: true }));
    outlet.fail('upstream_lost', 'late');
  };
  const sent = test.send('tools/call', read);
  await sent.handling.crossed;
  assert.deepEqual(
    sent.said.map(({ what }) => what),
    ['close'],
  );
});
