import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import type { Audit } from '../../components/audit/audit.ts';
import { event, fate, hang, instead, result, testHouse, until } from '../house.fixture.ts';
import { PASS } from '../verdict.ts';

const read = { name: 'read' };
const refusing = (type: string, how: 'throws' | 'rejects' = 'throws'): Audit => ({
  keep(record) {
    if (record.type !== type) return undefined;
    if (how === 'rejects') return Promise.reject(new Error('disk full'));
    throw new Error('disk full');
  },
});

verifies('attempt.kept-first', 'a call that cannot be recorded is not made, and its agent is told so', async () => {
  for (const how of ['throws', 'rejects'] as const) {
    const test = await testHouse({ parts: { audit: refusing('attempt', how) } });
    const { verdict } = await test.send('tools/call', read).over;
    assert.equal(verdict?.reason, 'record_unavailable');
    assert.equal(test.calls.length, 0);
    assert.equal(test.house.ledger.size, 0);
  }
});

verifies('attempt.kept-first', 'a call waits until its attempt is kept', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const test = await testHouse({ parts: { audit: { keep: () => promise } } });
  const sent = test.send('tools/call', read);
  await until(() => test.house.ledger.size === 1);
  assert.equal(test.calls.length, 0);
  resolve();
  await sent.handling.crossed;
  assert.equal(test.calls.length, 1);
});

verifies('attempt.kept-first', 'the attempt is in the record before the server hears of it', async () => {
  const test = await testHouse();
  await test.send('tools/call', read).over;
  const order = test.journal.filter((line) => /^(audit|upstream|reply)/.test(line));
  assert.deepEqual(order, ['audit.attempt', 'upstream.open', 'audit.outcome', 'reply.close']);
});

verifies(
  'attempt.concluded',
  'a call whose agent hung up while a stage waited is neither attempted nor made',
  async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const test = await testHouse(instead('inward', 'inspect', () => promise.then(() => PASS)));
    const sent = test.send('tools/call', read);
    await until(() => test.house.ledger.size === 1);
    sent.handling.cancel('agent_gone');
    resolve();
    await sent.handling.crossed;
    assert.deepEqual(
      test.records.map(({ type }) => type),
      ['refusal'],
    );
    assert.equal(test.calls.length, 0);
  },
);

verifies(
  'attempt.concluded',
  'a call whose agent hung up while its attempt was written is concluded and not made',
  async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const kept: string[] = [];
    const test = await testHouse({ parts: { audit: { keep: (record) => (kept.push(record.type), promise) } } });
    const sent = test.send('tools/call', read);
    await until(() => kept.length === 1);
    sent.handling.cancel('agent_gone');
    resolve();
    await sent.handling.crossed;
    assert.deepEqual(kept.slice(0, 2), ['attempt', 'outcome']);
    assert.equal(test.calls.length, 0);
    assert.equal(test.house.ledger.size, 0);
  },
);

verifies(
  'outcome.kept-first',
  'an answer that cannot be recorded is not released, and nobody claims that nothing happened',
  async () => {
    const test = await testHouse({ parts: { audit: refusing('outcome') } });
    const sent = test.send('tools/call', read);
    const { what, verdict } = await sent.over;
    assert.equal(what, 'fail');
    assert.equal(verdict?.reason, 'record_unavailable');
    assert.match(verdict?.tell ?? '', /may have taken effect/);
  },
);

verifies('outcome.kept-first', 'an event that cannot be recorded is not released', async () => {
  const test = await testHouse({ parts: { audit: refusing('events') } });
  test.script = ({ outlet }) => {
    void outlet.event(event('notifications/progress', { progressToken: 1, progress: 1 }));
    outlet.close(result('tools/call'));
  };
  const sent = test.send('tools/call', read);
  assert.equal(await fate(sent), 'close');
  assert.deepEqual(
    sent.said.map(({ what }) => what),
    ['close'],
  );
});

verifies('outcome.kept-first', 'the event is in the record before the agent sees it', async () => {
  const test = await testHouse();
  test.script = ({ outlet }) => void outlet.event(event('notifications/progress', { progressToken: 1, progress: 1 }));
  await test.send('tools/call', read).handling.crossed;
  const order = test.journal.filter((line) => /events|reply/.test(line));
  assert.deepEqual(order, ['audit.events', 'reply.event']);
});

verifies('attempt.concluded', 'a deadline that passes while an outcome is written adds no second one', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const kept: string[] = [];
  const audit: Audit = { keep: (record) => (kept.push(record.type), record.type === 'outcome' ? promise : undefined) };
  const test = await testHouse({ parts: { audit } });
  test.script = hang;
  const sent = test.send('tools/call', read);
  await sent.handling.crossed;
  test.calls[0]!.outlet.close(result('tools/call'));
  sent.handling.cancel('deadline_passed');
  resolve();
  assert.equal(await fate(sent), 'deadline_passed');
  assert.deepEqual(
    kept.filter((type) => type === 'outcome'),
    ['outcome'],
  );
});
