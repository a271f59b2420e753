import assert from 'node:assert/strict';
import fc from 'fast-check';
import { setImmediate as turn } from 'node:timers/promises';
import { verifies } from '../../test/verifies.ts';
import type { AuditRecord } from '../components/audit/record.ts';
import {
  asking,
  countingLimits,
  event,
  failure,
  fate,
  hang,
  instead,
  result,
  testHouse,
  until,
  type Call,
  type TestHouse,
} from './house.fixture.ts';
import type { Message } from './exchange.ts';
import { deny, PASS, type Deny } from './verdict.ts';

const read = { name: 'read' };
const legacy = { era: 'legacy', session: 's' } as const;

const outcomes = (records: readonly AuditRecord[]) =>
  records.flatMap((record) => (record.type === 'outcome' ? [[record.status, record.reason]] : []));
const wordOf = (answer: Message | Deny): string => ('reason' in answer ? answer.reason : answer.payload);

/** A legacy call during which its server asks for roots; `answers` collects what the server is told. */
async function asked(test: TestHouse, answers: string[] = []) {
  test.session('s', { caps: { roots: {} } });
  test.script = ({ outlet }) => outlet.ask(asking('roots/list'), (answer) => answers.push(wordOf(answer)));
  const call = test.send('tools/call', read, { ...legacy, id: 7 });
  await call.handling.crossed;
  return { call, answers, askId: call.said[0]!.exchange!.requestId! };
}

// ---- deadlines -------------------------------------------------------------------------------------------------

verifies(
  'deadline.ends',
  'a call that is not answered in time ends with an outcome, and its server is told',
  async () => {
    const test = await testHouse({ settings: { serverDeadline: () => 5 } });
    test.script = hang;
    const sent = test.send('tools/call', read);
    assert.equal(await fate(sent), 'deadline_passed');
    assert.equal(test.calls[0]!.cancelled, 'deadline_passed');
    assert.deepEqual(outcomes(test.records), [['failed', 'deadline_passed']]);
    assert.equal(test.house.ledger.size, 0);
  },
);

verifies('deadline.ends', 'a deadline longer than a timer can hold does not end a call at once', async () => {
  const test = await testHouse({ settings: { serverDeadline: () => 2 ** 40 } });
  test.script = hang;
  const sent = test.send('tools/call', read);
  await sent.handling.crossed;
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(test.house.ledger.size, 1);
  sent.handling.cancel('agent_gone');
});

verifies(
  'deadline.ends',
  'while an ask is open its call does not end, and afterwards it has what was left',
  async () => {
    const test = await testHouse({ settings: { serverDeadline: () => 20 } });
    const { call, askId } = await asked(test);
    test.clock.advance(15);
    const [open] = [...test.house.ledger.all()].filter(({ exchange }) => !exchange.parent);
    assert.equal(open?.rests, 20);
    assert.equal(await fate(test.answer('s', askId, { roots: [] })), 'accept');
    assert.equal(open?.rests, undefined);
    assert.equal(open?.ends, test.clock.now() + 20);
    assert.equal(await fate(call), 'deadline_passed');
  },
);

verifies('deadline.ends', 'asking again and again does not renew a deadline', async () => {
  const test = await testHouse({ settings: { serverDeadline: () => 1000 } });
  test.session('s', { caps: {} });
  test.script = hang;
  await test.send('tools/call', read, legacy).handling.crossed;
  const [open] = [...test.house.ledger.all()];
  const ends = open!.ends;
  for (let times = 0; times < 5; times += 1) {
    test.clock.advance(100);
    test.calls[0]!.outlet.ask(asking('roots/list'), () => undefined);
  }
  assert.equal(open!.ends, ends);
});

verifies('deadline.ends', 'an ask that nobody answers ends by its own deadline, and its server is told', async () => {
  const test = await testHouse({ settings: { askDeadline: 5 } });
  const { answers } = await asked(test);
  await until(() => answers.length > 0);
  assert.deepEqual(answers, ['deadline_passed']);
  assert.deepEqual(outcomes(test.records), [['failed', 'deadline_passed']]);
  assert.equal(test.house.ledger.size, 1);
});

// ---- asks ------------------------------------------------------------------------------------------------------

verifies(
  'ask.child',
  'an answer that is refused on its way in is told to the server as refused, and the ask is over',
  async () => {
    let inward = 0;
    const second = instead('inward', 'inspect', () => ((inward += 1) > 1 ? deny('inspection_refused') : PASS));
    const test = await testHouse(second);
    const { answers, askId } = await asked(test);
    assert.equal(await fate(test.answer('s', askId, { roots: [] })), 'inspection_refused');
    await turn();
    assert.deepEqual(answers, ['inspection_refused']);
    assert.equal(test.house.ledger.size, 1);
  },
);

verifies(
  'ask.child',
  'an answer crosses inward: identified, inspected, authorized and kept before the server has it',
  async () => {
    const test = await testHouse();
    const { askId } = await asked(test);
    const before = test.journal.length;
    await test.answer('s', askId, { roots: [] }).over;
    const visited = test.journal.slice(before).filter((line) => line !== 'policy.epoch');
    assert.deepEqual(visited, [
      'identity.identify',
      'limits.reading',
      'body',
      'inspection.inspect',
      'policy.decide',
      'audit.outcome',
      'reply.accept',
    ]);
  },
);

verifies('ask.child', 'an answer counts once', async () => {
  const test = await testHouse();
  const { answers, askId } = await asked(test);
  assert.equal(await fate(test.answer('s', askId, { roots: [] })), 'accept');
  assert.equal(await fate(test.answer('s', askId, { roots: [] })), 'answer_unexpected');
  assert.deepEqual(answers, ['result']);
});

verifies('ask.child', 'an ask whose call is answered, fails or is cancelled meanwhile stays unanswered', async () => {
  const ends: readonly ((call: Call, cancel: () => void) => void)[] = [
    ({ outlet }) => outlet.close(result('tools/call')),
    ({ outlet }) => outlet.fail('upstream_lost', 'gone'),
    (_call, cancel) => cancel(),
  ];
  for (const end of ends) {
    const test = await testHouse();
    const { call, answers, askId } = await asked(test);
    end(test.calls[0]!, () => call.handling.cancel('agent_gone'));
    await turn();
    assert.deepEqual(answers, ['cancelled']);
    assert.equal(await fate(test.answer('s', askId, {})), 'answer_unexpected');
    assert.equal(test.house.ledger.size, 0);
  }
});

verifies('ask.child', 'an ask carries the principal, run and session of its call', async () => {
  const test = await testHouse();
  const { call } = await asked(test);
  const child = call.said[0]!.exchange!;
  const { principal, run, session, id } = test.calls[0]!.exchange;
  assert.deepEqual([child.principal, child.run, child.session, child.parent?.id], [principal, run, session, id]);
  const attempts = test.records.filter((record) => record.type === 'attempt');
  assert.deepEqual(
    attempts.map(({ opener, parent }) => [opener, parent]),
    [
      ['agent', undefined],
      ['server', id],
    ],
  );
});

verifies('ask.child', 'an ask after the answer is refused', async () => {
  const test = await testHouse();
  const { answers } = await asked(test);
  const { outlet } = test.calls[0]!;
  outlet.close(result('tools/call'));
  outlet.ask(asking('roots/list'), (answer) => answers.push(wordOf(answer)));
  assert.deepEqual(answers, ['cancelled', 'cancelled']);
});

// ---- sessions --------------------------------------------------------------------------------------------------

verifies('session.bound', 'a standing exchange hears news, is on record, and ends with its session', async () => {
  const test = await testHouse();
  test.session('s');
  await test.send('initialize', {}, { era: 'legacy' }).over;
  const said: string[] = [];
  const reply = { event: () => void said.push('event'), fail: () => void said.push('fail') };
  const initialize = test.own[0]!.exchange;
  const standing = test.core.stand(initialize, 's', reply as never);
  await standing.outlet.event(event('notifications/tools/list_changed'));
  await standing.outlet.event(event('notifications/unheard-of'));
  assert.deepEqual(said, ['event']);
  test.core.endSession('s', 'session_ended');
  assert.deepEqual(said, ['event', 'fail']);
  const own = test.records.filter((record) => 'exchange' in record && record.exchange === standing.exchange.id);
  assert.deepEqual(
    own.map(({ type }) => type),
    ['attempt', 'events', 'refusal', 'outcome'],
  );
});

verifies('session.bound', "the end of a session ends its calls and nobody else's", async () => {
  const test = await testHouse();
  test.session('s');
  test.session('t');
  test.script = hang;
  await test.send('tools/call', read, legacy).handling.crossed;
  await test.send('tools/call', read, { era: 'legacy', session: 't' }).handling.crossed;
  test.core.endSession('s', 'session_ended');
  assert.deepEqual(
    test.calls.map(({ cancelled }) => cancelled),
    ['session_ended', undefined],
  );
});

verifies('session.bound', 'a gateway that drains ends who listens and lets calls finish', async () => {
  const test = await testHouse();
  test.script = hang;
  const call = test.send('tools/call', read);
  await call.handling.crossed;
  test.core.drain();
  assert.equal(await fate(test.send('tools/list')), 'draining');
  test.calls[0]!.outlet.close(result('tools/call'));
  assert.equal(await fate(call), 'close');
});

// ---- whatever happens ------------------------------------------------------------------------------------------

type Step = 'event' | 'ask' | 'close' | 'error' | 'fail' | 'hang' | 'throw' | 'cancel';
const step = fc.constantFrom<Step>('event', 'ask', 'close', 'error', 'fail', 'hang', 'throw', 'cancel');
const script = fc.record({
  steps: fc.array(step, { maxLength: 6 }),
  as: fc.constantFrom('ana', 'eve', 'forged', ''),
  name: fc.constantFrom('read', 'nothing', 'unapproved.read', 'web.read'),
  era: fc.constantFrom('modern' as const, 'legacy' as const),
  gone: fc.boolean(),
  slow: fc.boolean(),
  broken: fc.constantFrom('', 'inspect', 'authorize', 'keep', 'redact'),
});
type Script = typeof script extends fc.Arbitrary<infer S> ? S : never;

function play({ outlet }: Call, steps: readonly Step[], cancel: () => void): void {
  for (const what of steps) {
    switch (what) {
      case 'event':
        void outlet.event(event('notifications/progress', { progressToken: 1 }));
        break;
      case 'ask':
        outlet.ask(asking('roots/list'), () => undefined);
        break;
      case 'close':
        outlet.close(result('tools/call'));
        break;
      case 'error':
        outlet.close(failure('tools/call', 'no'));
        break;
      case 'fail':
        outlet.fail('upstream_lost', 'gone');
        break;
      case 'throw':
        throw new Error('broken');
      case 'cancel':
        cancel();
        break;
      case 'hang':
        break;
    }
  }
}

async function run({ steps, as, name, era, gone, slow, broken }: Script) {
  const limits = countingLimits();
  const test = await testHouse({
    parts: { limits: [limits] },
    stages: (_direction, stage) => {
      if (stage.stage === broken) return { ...stage, run: () => Promise.reject(new Error('broken')) };
      return slow && stage.act === 'judges' ? { ...stage, run: async (crossing) => stage.run(crossing) } : stage;
    },
  });
  test.session('s', { caps: { roots: {} } });
  let cancel = () => undefined as void;
  test.script = (call) => play(call, steps, cancel);
  const sent = test.send('tools/call', { name }, { as, era, ...(era === 'legacy' ? { session: 's' } : {}) });
  cancel = () => sent.handling.cancel('agent_cancelled');
  if (gone) sent.handling.cancel('agent_gone');
  await sent.handling.crossed;
  await until(() => [...test.house.ledger.all()].every(({ crossing }) => crossing === undefined));
  sent.handling.cancel('agent_gone');
  await turn();
  return { test, limits, sent };
}

verifies('limit.bounded', 'after 1000 random scripts everything that was taken has been given back', async () => {
  await fc.assert(
    fc.asyncProperty(script, async (random) => {
      const { test, limits, sent } = await run(random);
      assert.equal(limits.taken(), 0);
      assert.equal(test.house.ledger.size, 0);
      const last = sent.said.filter(({ what }) => what !== 'event' && what !== 'ask');
      assert.ok(last.length <= 1, 'an agent is told the end of its call once');
    }),
    { numRuns: 1000 },
  );
});

verifies(
  'attempt.concluded',
  'whatever servers, agents and stages do, every attempt on record has exactly one outcome',
  async () => {
    await fc.assert(
      fc.asyncProperty(script, async (random) => {
        const { test } = await run(random);
        const count = (type: string) => {
          const ids = test.records.flatMap((record) =>
            record.type === type ? [(record as { exchange: string }).exchange] : [],
          );
          return ids.sort();
        };
        assert.deepEqual(count('outcome'), count('attempt'));
      }),
      { numRuns: 500 },
    );
  },
);
