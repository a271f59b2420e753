import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import { deny } from '../verdict.ts';
import { event, fate, instead, stops, testHouse } from '../house.fixture.ts';

const CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"}}';

verifies('read.strict', 'a doubled key, a batch, a second text and half a text are refused at reading', async () => {
  const test = await testHouse();
  const doubled = CALL.replace('"name"', '"name":"other","name"');
  const escaped = CALL.replace('"name"', '"n\\u0061me":"other","name"');
  for (const raw of [doubled, escaped, `[${CALL}]`, `${CALL}${CALL}`, CALL.slice(0, -1), 'too_large', 'gone', '']) {
    assert.notEqual(await fate(test.send('tools/call', {}, { raw })), 'close', raw);
  }
  assert.equal(test.calls.length, 0);
  assert.deepEqual([...new Set(stops(test.records).map((stop) => stop.split(' ')[0]))], ['inward:read']);
  assert.equal(await fate(test.send('tools/call', {}, { raw: CALL })), 'close');
});

verifies('answer.readable', 'what a server sent and is no message reaches nobody', async () => {
  const test = await testHouse({
    stages: (direction, stage) =>
      direction === 'outward' && stage.stage === 'read'
        ? { ...stage, run: (crossing) => ((crossing.fault = deny('upstream_garbage')), stage.run(crossing)) }
        : stage,
  });
  const sent = test.send('tools/call', { name: 'read' });
  assert.equal(await fate(sent), 'upstream_garbage');
  assert.deepEqual(
    sent.said.map(({ what }) => what),
    ['fail'],
  );
});

verifies('answer.readable', 'a message without a fault passes reading', async () => {
  const test = await testHouse();
  test.script = ({ outlet, exchange }) => {
    void outlet.event(event('notifications/progress', { progressToken: 1, progress: 1 }));
    outlet.fail('upstream_lost', `${exchange.row.method} was given up`);
  };
  const sent = test.send('tools/call', { name: 'read' });
  assert.equal(await fate(sent), 'upstream_lost');
  assert.deepEqual(
    sent.said.map(({ what }) => what),
    ['event', 'fail'],
  );
});

verifies('fail.closed', 'a reader that throws refuses the message', async () => {
  const test = await testHouse(
    instead('inward', 'read', () => {
      throw new Error('broken');
    }),
  );
  assert.equal(await fate(test.send('tools/list')), 'stage_failed');
});
