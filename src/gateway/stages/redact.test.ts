import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import type { Policy } from '../../components/policy/policy.ts';
import type { Redaction } from '../../components/redaction/redaction.ts';
import type { Message } from '../exchange.ts';
import { docOf, event, failure, fate, permitAll, result, SECRET, testHouse } from '../house.fixture.ts';

const call = { name: 'files.read' };

function spelled(secret: string): Message {
  const doc = docOf(`{"jsonrpc":"2.0","id":0,"result":{"text":"it is ${secret}."}}`);
  return { kind: 'closing', method: 'tools/call', doc, payload: 'result' };
}

verifies('secret.never-back', 'a server that echoes its credential in any spelling is refused', async () => {
  const escaped = SECRET.replaceAll('/', '\\/');
  const unicode = Array.from(SECRET, (c) => `\\u00${c.charCodeAt(0).toString(16)}`).join('');
  for (const secret of [SECRET, `Bearer ${SECRET}`, escaped, unicode]) {
    const test = await testHouse();
    test.script = ({ outlet }) => outlet.close(spelled(secret));
    assert.equal(await fate(test.send('tools/call', call)), 'redaction_failed', secret);
  }
  const test = await testHouse();
  test.script = ({ outlet }) => outlet.close(spelled('hunter\\n2'));
  assert.equal(await fate(test.send('tools/call', call)), 'close');
});

verifies(
  'secret.never-back',
  'neither does a credential come back in a key, an error or an event, nor in observe mode',
  async () => {
    const test = await testHouse({ settings: { mode: 'observe' } });
    test.script = ({ outlet }) => {
      void outlet.event(event('notifications/progress', { progressToken: 1, message: SECRET }));
      outlet.close(failure('tools/call', `Bearer ${SECRET} was not accepted`));
    };
    const sent = test.send('tools/call', call);
    assert.equal(await fate(sent), 'redaction_failed');
    assert.deepEqual(
      sent.said.map(({ what }) => what),
      ['fail'],
    );
    test.script = ({ outlet }) => outlet.close(result('tools/call', { [SECRET]: 1 }));
    assert.equal(await fate(test.send('tools/call', call)), 'redaction_failed');
  },
);

verifies('secret.never-back', 'what was refused for its secret does not bring the secret into the record', async () => {
  const test = await testHouse();
  test.script = ({ outlet }) => {
    void outlet.event(event('notifications/progress', { progressToken: 1, message: SECRET }));
    outlet.close(spelled(SECRET));
  };
  await test.send('tools/call', call).over;
  assert.deepEqual(
    test.records.map(({ type }) => type),
    ['attempt', 'refusal', 'outcome'],
  );
  assert.equal(JSON.stringify(test.records).includes(SECRET), false);
});

verifies('record.no-raw-refusal', 'of an answer that may not go out only the digest is kept', async () => {
  const policy: Policy = { ...permitAll, release: () => ({ effect: 'silence' }) };
  const test = await testHouse({ parts: { policy } });
  test.script = ({ outlet }) => outlet.close(spelled('a private matter'));
  await test.send('tools/call', call).over;
  const outcome = test.records.find((record) => record.type === 'outcome');
  assert.equal(outcome?.result?.json, undefined);
  assert.match(outcome?.result?.sha256 ?? '', /^[0-9a-f]{64}$/);
});

verifies(
  'redaction.all-or-none',
  'a redaction that the deciding policy ordered and nobody can do stops the answer',
  async () => {
    const decide: Policy['decide'] = () => ({
      effect: 'permit',
      rules: ['r'],
      obligations: [{ kind: 'redact', what: 'email' }],
    });
    const test = await testHouse({ parts: { policy: { ...permitAll, decide } } });
    assert.equal(await fate(test.send('tools/call', call)), 'redaction_failed');
  },
);

verifies(
  'secret.never-back',
  'what a part cuts out reaches neither agent nor record, and what it cannot cut out stops',
  async () => {
    const cut: Redaction = {
      redact: async ({ doc }) =>
        doc.bytes.includes('outright')
          ? { ok: false, detail: 'cannot' }
          : { ok: true, edits: [{ op: 'replace', path: ['result', 'text'], json: '"[cut]"' }], carried: [] },
    };
    const test = await testHouse({ parts: { redaction: [cut] } });
    test.script = ({ outlet }) => outlet.close(spelled('ana@example.com'));
    const { message } = await test.send('tools/call', call).over;
    assert.equal(message?.doc.raw(['result']), '{"text":"[cut]"}');
    assert.equal(JSON.stringify(test.records).includes('ana@example.com'), false);
    test.script = ({ outlet }) => outlet.close(spelled('outright'));
    assert.equal(await fate(test.send('tools/call', call)), 'redaction_failed');
  },
);
