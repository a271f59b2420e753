import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import { setImmediate as turn } from 'node:timers/promises';
import { event, fate, instead, result, testHouse } from '../house.fixture.ts';
import { PASS } from '../verdict.ts';

const read = { name: 'read' };
const progress = (progress: number) => event('notifications/progress', { progressToken: 1, progress });

verifies(
  'release.ordered',
  'messages go out in the order they came, also when the first ones wait longest',
  async () => {
    let waits = 3;
    const slow = instead('outward', 'inspect', async () => {
      for (let turns = (waits -= 1); turns > 0; turns -= 1) await turn();
      return PASS;
    });
    const test = await testHouse(slow);
    test.script = ({ outlet }) => {
      void outlet.event(progress(1));
      void outlet.event(progress(2));
      outlet.close(result('tools/call'));
    };
    const sent = test.send('tools/call', read);
    assert.equal(await fate(sent), 'close');
    assert.deepEqual(
      sent.said.map(({ what, message }) => message?.doc.raw(['params', 'progress']) ?? what),
      ['1', '2', 'close'],
    );
  },
);

verifies('release.ordered', 'a failure waits for what came before it', async () => {
  const test = await testHouse(instead('outward', 'inspect', () => turn().then(() => PASS)));
  test.script = ({ outlet }) => {
    void outlet.event(progress(1));
    outlet.fail('upstream_lost', 'gone');
  };
  const sent = test.send('tools/call', read);
  assert.equal(await fate(sent), 'upstream_lost');
  assert.deepEqual(
    sent.said.map(({ what }) => what),
    ['event', 'fail'],
  );
});

verifies('release.ordered', 'nothing is released of a call that was cancelled while its answer waited', async () => {
  const test = await testHouse(instead('outward', 'inspect', () => turn().then(() => PASS)));
  const sent = test.send('tools/call', read);
  await sent.handling.crossed;
  sent.handling.cancel('agent_gone');
  await turn();
  await turn();
  assert.deepEqual(sent.said, []);
  assert.deepEqual(
    test.records.map(({ type }) => type),
    ['attempt', 'outcome'],
  );
});

verifies(
  'release.ordered',
  'a reply that throws ends the exchange all the same, and keeps nobody else back',
  async () => {
    const test = await testHouse();
    const close = () => {
      throw new Error('socket');
    };
    const sent = test.send('tools/call', read, { reply: { close } });
    assert.equal(await fate(sent), 'stage_failed');
    assert.equal(test.house.ledger.size, 0);
  },
);

verifies(
  'retry.bound',
  'a state of a server continues only the same request of the same caller, and once',
  async () => {
    const test = await testHouse();
    test.script = ({ outlet }) =>
      outlet.close(
        result('tools/call', { resultType: 'input_required', requestState: 'server-state', inputRequests: {} }),
      );
    const { message } = await test.send('tools/call', read).over;
    const sealed = message?.doc.value as { result: { requestState: string } };
    const { requestState } = sealed.result;
    assert.notEqual(requestState, 'server-state');
    const retry = (params: object, as = 'ana') => fate(test.send('tools/call', { ...read, ...params }, { as }));
    assert.equal(await retry({ requestState: 'server-state' }), 'retry_mismatch');
    assert.equal(await retry({ requestState }, 'bob'), 'retry_mismatch');
    assert.equal(await retry({ requestState, name: 'write' }), 'retry_mismatch');
    assert.equal(test.calls.length, 1);
    assert.equal(await retry({ requestState }), 'close');
    assert.equal(test.calls[1]!.exchange.opening.doc.raw(['params', 'requestState']), '"server-state"');
    assert.equal(await retry({ requestState }), 'retry_mismatch');
  },
);
