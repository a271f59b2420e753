import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import { deny } from '../verdict.ts';
import { asking, fate, result, testHouse } from '../house.fixture.ts';

const call = (args: string, name = '"read"') =>
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":${name},"arguments":${args}}}`;

verifies('validate.arguments', 'a key that would change prototypes is refused at any depth', async () => {
  const test = await testHouse();
  for (const args of ['{"__proto__":{}}', '{"a":[{"__proto__":1}]}', '{"constructor":{"prototype":{}}}']) {
    assert.equal(await fate(test.send('tools/call', {}, { raw: call(args) })), 'arguments_refused', args);
  }
  assert.equal(test.calls.length, 0);
  for (const args of ['{"proto":{}}', '{"constructor":"a builder"}', '{"prototype":{}}']) {
    assert.equal(await fate(test.send('tools/call', {}, { raw: call(args) })), 'close', args);
  }
});

verifies('validate.arguments', 'control characters and half characters in a name are refused', async () => {
  const test = await testHouse();
  for (const name of ['"re\\u0000ad"', '"read\\n"', '"\\ud800"', '"re\\u007fad"']) {
    assert.equal(await fate(test.send('tools/call', {}, { raw: call('{}', name) })), 'arguments_refused', name);
  }
  assert.equal(await fate(test.send('tools/call', {}, { raw: call('{}', '"r\\u00e9ad"') })), 'close');
});

verifies('observe.limited', 'headers that disagree with the arguments are refused in observe mode too', async () => {
  const settings = { mode: 'observe' } as const;
  const test = await testHouse({ settings, house: { mirrored: () => deny('header_mismatch') } });
  assert.equal(await fate(test.send('tools/call', { name: 'read' })), 'header_mismatch');
});

verifies('answer.shaped', 'a result that is no object is refused, in observe mode too', async () => {
  for (const mode of ['enforce', 'observe'] as const) {
    const test = await testHouse({ settings: { mode } });
    for (const wrong of ['text', 7, null, []]) {
      test.script = ({ outlet }) => outlet.close(result('tools/call', wrong));
      assert.equal(await fate(test.send('tools/call', { name: 'read' })), 'upstream_garbage', String(wrong));
    }
    test.script = ({ outlet }) => outlet.close(result('tools/call', {}));
    assert.equal(await fate(test.send('tools/call', { name: 'read' })), 'close');
  }
});

verifies('answer.shaped', 'an ask whose params are no object is refused', async () => {
  const test = await testHouse();
  test.session('s', { caps: { roots: {} } });
  const answers: unknown[] = [];
  test.script = ({ outlet }) => {
    const ask = asking('roots/list', [] as never);
    outlet.ask(ask, (answer) => answers.push('reason' in answer ? answer.reason : 'answered'));
  };
  await test.send('tools/call', { name: 'read' }, { era: 'legacy', session: 's' }).handling.crossed;
  assert.deepEqual(answers, ['upstream_garbage']);
});
