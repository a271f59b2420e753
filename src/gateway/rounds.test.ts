import assert from 'node:assert/strict';
import { verifies } from '../../test/verifies.ts';
import type { AuditRecord } from '../components/audit/record.ts';
import type { JsonObject } from './document.ts';
import type { Message } from './exchange.ts';
import {
  docOf,
  event,
  failure,
  fate,
  instead,
  result,
  testAudit,
  testHouse,
  until,
  type HouseOptions,
  type Sent,
  type TestHouse,
} from './house.fixture.ts';
import { deny, PASS } from './verdict.ts';

const read = { name: 'read' };
const legacy = { era: 'legacy', session: 's' } as const;
const ROUND = 'audit.attempt upstream.open';
const ELICIT = '{"method":"elicitation/create","params":{"message":"Name?"}}';

/** The answer of a modern server that wants something first; `asks` and `state` are JSON texts. */
function inputRequired(asks: string, state?: string): Message {
  const text = `{"resultType":"input_required","inputRequests":${asks}${state === undefined ? '' : `,"requestState":${state}`}}`;
  return {
    kind: 'closing',
    method: 'tools/call',
    doc: docOf(`{"jsonrpc":"2.0","id":0,"result":${text}}`),
    payload: 'result',
  };
}

/** A house whose modern server says these one after the other, and then nothing any more. */
async function house(
  says: readonly Message[],
  options: HouseOptions = {},
  caps: JsonObject = { elicitation: {}, roots: {} },
) {
  const test = await testHouse(options);
  test.session('s', { caps });
  test.script = ({ outlet }) => {
    const word = says[test.calls.length - 1];
    if (word) outlet.close(word);
  };
  return test;
}

const asksOf = ({ said }: Sent) => said.filter(({ what }) => what === 'ask');
const idOf = (sent: Sent, at = -1): string => asksOf(sent).at(at)!.exchange!.requestId!;
const again = (test: TestHouse, path: string) => test.calls.at(-1)!.exchange.opening.doc.raw(['params', path]);

/** The agent's answer as exactly this text. */
function answer(test: TestHouse, id: string, text: string): Sent {
  return test.send('', {}, { ...legacy, raw: `{"jsonrpc":"2.0","id":${id},"result":${text}}` });
}

function ofType(records: readonly AuditRecord[], type: 'attempt' | 'outcome'): string[] {
  return records.flatMap((record) => (record.type === type ? [record.exchange] : []));
}

function assertConcluded(test: TestHouse): void {
  assert.equal(test.house.ledger.size, 0);
  const outcomes = ofType(test.records, 'outcome');
  assert.equal(new Set(outcomes).size, outcomes.length);
  assert.deepEqual(new Set(outcomes), new Set(ofType(test.records, 'attempt')));
}

// ---- bounded ---------------------------------------------------------------------------------------------------

verifies(
  'rounds.bounded',
  'a server that is never content is asked eleven times in all, and its agent is told',
  async () => {
    const test = await house(Array.from({ length: 50 }, () => inputRequired('{}', '"more"')));
    const sent = test.send('tools/call', read, legacy);
    assert.equal(await fate(sent), 'ask_not_possible');
    assert.equal(test.calls.length, 11);
    assertConcluded(test);
  },
);

verifies('rounds.bounded', 'an ask that the agent did not offer ends the call with an error that says so', async () => {
  const test = await house([inputRequired('{"q":{"method":"sampling/createMessage","params":{}}}')]);
  const sent = test.send('tools/call', read, legacy);
  const { verdict } = await sent.over;
  assert.deepEqual([verdict?.reason, verdict?.detail], ['ask_refused', 'sampling/createMessage was not declared']);
  assert.equal(asksOf(sent).length, 0);
  assert.equal(test.calls.length, 1);
});

verifies('rounds.bounded', 'an ask that is none ends the call', async () => {
  for (const asks of ['{"q":{"method":"tools/call","params":{}}}', '{"q":{"method":7}}', '{"q":null}']) {
    const test = await house([inputRequired(asks)]);
    assert.equal(await fate(test.send('tools/call', read, legacy)), 'ask_not_possible');
    assertConcluded(test);
  }
});

verifies(
  'rounds.bounded',
  'an ask that policy or an inspection refuses ends the call, and the server is not asked again',
  async () => {
    const refusing = instead('outward', 'inspect', ({ kind }) =>
      kind === 'opening' ? deny('inspection_refused') : PASS,
    );
    const test = await house([inputRequired(`{"q":${ELICIT}}`)], refusing);
    assert.equal(await fate(test.send('tools/call', read, legacy)), 'ask_refused');
    assert.equal(test.calls.length, 1);
  },
);

verifies('rounds.bounded', 'an agent that answers with an error ends its call', async () => {
  const test = await house([inputRequired(`{"q":${ELICIT}}`)]);
  const sent = test.send('tools/call', read, legacy);
  await until(() => asksOf(sent).length === 1);
  test.send('', {}, { ...legacy, raw: `{"jsonrpc":"2.0","id":${idOf(sent)},"error":{"code":-1,"message":"No."}}` });
  assert.equal(await fate(sent), 'ask_refused');
  assert.equal(test.calls.length, 1);
  assertConcluded(test);
});

verifies(
  'rounds.bounded',
  'a person may take their time: the deadline of the call rests while they answer',
  async () => {
    const test = await house([inputRequired(`{"q":${ELICIT}}`)], { settings: { serverDeadline: () => 20 } });
    const sent = test.send('tools/call', read, legacy);
    await until(() => asksOf(sent).length === 1);
    const [open] = [...test.house.ledger.all()].filter(({ exchange }) => !exchange.parent);
    test.clock.advance(1000);
    assert.equal(open?.rests, 20);
    answer(test, idOf(sent), '{"action":"accept"}');
    await until(() => test.calls.length === 2);
    assert.equal(open?.ends, test.clock.now() + 20);
    assert.equal(await fate(sent), 'deadline_passed');
    assert.equal(test.calls[1]!.cancelled, 'deadline_passed');
    assertConcluded(test);
  },
);

verifies(
  'rounds.bounded',
  'an agent that cancels while it is asked ends the call, and no answer starts another round',
  async () => {
    const test = await house([inputRequired(`{"q":${ELICIT}}`)]);
    const sent = test.send('tools/call', read, { ...legacy, id: 7 });
    await until(() => asksOf(sent).length === 1);
    const id = idOf(sent);
    test.send('notifications/cancelled', { requestId: 7 }, legacy);
    assert.equal(await fate(sent), 'cancelled');
    assert.equal(await fate(answer(test, id, '{"action":"accept"}')), 'answer_unexpected');
    assert.equal(test.calls.length, 1);
    assertConcluded(test);
  },
);

verifies('rounds.bounded', 'an agent that cancels a later round cancels that one at the server', async () => {
  const test = await house([inputRequired('{}', '"once"')]);
  const sent = test.send('tools/call', read, { ...legacy, id: 7 });
  await until(() => test.calls.length === 2);
  test.send('notifications/cancelled', { requestId: 7 }, legacy);
  assert.equal(await fate(sent), 'cancelled');
  assert.deepEqual(
    test.calls.map(({ cancelled }) => cancelled),
    [undefined, 'agent_cancelled'],
  );
  assertConcluded(test);
});

// ---- recorded --------------------------------------------------------------------------------------------------

verifies(
  'rounds.recorded',
  'each round is an attempt of its own before the server hears of it, with one outcome',
  async () => {
    const test = await house([
      inputRequired('{}', '"1"'),
      inputRequired('{}', '"2"'),
      result('tools/call', { content: [] }),
    ]);
    const sent = test.send('tools/call', read, legacy);
    assert.equal(await fate(sent), 'close');
    const story = test.journal.filter((line) => ['audit.attempt', 'audit.outcome', 'upstream.open'].includes(line));
    assert.equal(story.slice(0, 6).join(' '), `${ROUND} ${ROUND} audit.outcome audit.attempt`);
    assert.equal(ofType(test.records, 'attempt').length, 3);
    assertConcluded(test);
  },
);

verifies('rounds.recorded', 'a round that cannot be recorded is not sent, and ends the call', async () => {
  const journal: string[] = [];
  const audit = testAudit(journal, []);
  let attempts = 0;
  const failing = {
    ...audit,
    keep: (record: AuditRecord) => {
      if (record.type === 'attempt' && (attempts += 1) > 1) throw new Error('disk full');
      return audit.keep(record);
    },
  };
  const test = await house([inputRequired('{}', '"1"')], { parts: { audit: failing } });
  assert.equal(await fate(test.send('tools/call', read, legacy)), 'record_unavailable');
  assert.equal(test.calls.length, 1);
});

verifies('rounds.recorded', 'a round that fails, is cancelled or ends in an error is concluded as such', async () => {
  const last: readonly (readonly [say: (test: TestHouse) => void, status: string])[] = [
    [(test) => test.calls[1]!.outlet.close(failure('tools/call', 'broken')), 'error'],
    [(test) => test.calls[1]!.outlet.fail('upstream_lost', 'it died'), 'failed'],
    [(test) => test.core.endSession('s', 'session_ended'), 'cancelled'],
  ];
  for (const [say, status] of last) {
    const test = await house([inputRequired('{}', '"1"')]);
    const sent = test.send('tools/call', read, legacy);
    await until(() => test.calls.length === 2);
    say(test);
    await sent.over;
    const round = test.calls[1]!.exchange.id;
    const outcomes = test.records.flatMap((record) =>
      record.type === 'outcome' && record.exchange === round ? [record.status] : [],
    );
    assert.deepEqual(outcomes, [status]);
    assertConcluded(test);
  }
});

// ---- exact -----------------------------------------------------------------------------------------------------

verifies('rounds.exact', 'asks, answers and the state of the server cross byte for byte', async () => {
  const params = '{"message":"Wie viele?","x-own":{"n":12345678901234567890},"requestedSchema":{"type":"object"} }';
  const state = '"a\\u002fb=="';
  const asks = `{"a":{"method":"elicitation/create","params":${params}},"b":{"method":"roots/list"}}`;
  const test = await house([inputRequired(asks, state), result('tools/call', { content: [] })]);
  const sent = test.send('tools/call', read, legacy);
  await until(() => asksOf(sent).length === 2);
  assert.equal(asksOf(sent)[0]!.message!.doc.raw(['params']), params);
  assert.equal(asksOf(sent)[1]!.message!.doc.raw(['params']), undefined);
  const texts = ['{"action":"accept","content":{"n":98765432109876543210},"x-own":1.50}', '{"roots":[] }'];
  // The second ask is answered first.
  assert.equal(await fate(answer(test, idOf(sent, 1), texts[1]!)), 'accept');
  assert.equal(test.calls.length, 1);
  assert.equal(await fate(answer(test, idOf(sent, 0), texts[0]!)), 'accept');
  assert.equal(await fate(sent), 'close');
  assert.equal(again(test, 'requestState'), state);
  assert.equal(test.calls[1]!.exchange.opening.doc.raw(['params', 'inputResponses', 'a']), texts[0]);
  assert.equal(test.calls[1]!.exchange.opening.doc.raw(['params', 'inputResponses', 'b']), texts[1]);
  assertConcluded(test);
});

verifies('rounds.exact', 'a state is sent only for the round that it was given for', async () => {
  const test = await house([inputRequired('{}', '"1"'), inputRequired('{}')]);
  const sent = test.send('tools/call', read, legacy);
  await until(() => test.calls.length === 3);
  assert.equal(again(test, 'requestState'), undefined);
  test.calls[2]!.outlet.close(result('tools/call', { content: [] }));
  assert.equal(await fate(sent), 'close');
});

verifies('rounds.exact', 'progress of every round reaches the agent, in order and before the answer', async () => {
  const test = await house([]);
  test.script = ({ outlet }) => {
    const round = test.calls.length;
    void outlet.event(event('notifications/progress', { progressToken: 'p', progress: round }));
    outlet.close(round < 3 ? inputRequired('{}', '"more"') : result('tools/call', { content: [] }));
  };
  const sent = test.send('tools/call', { ...read, _meta: { progressToken: 'p' } }, legacy);
  assert.equal(await fate(sent), 'close');
  assert.deepEqual(
    sent.said.map(({ what, message }) => (what === 'event' ? message?.doc.raw(['params', 'progress']) : what)),
    ['1', '2', '3', 'close'],
  );
});

verifies('rounds.exact', 'a modern agent gets the question of a modern server as it is', async () => {
  const test = await testHouse();
  test.script = ({ outlet }) => outlet.close(inputRequired(`{"q":${ELICIT}}`, '"state"'));
  const { message } = await test.send('tools/call', read, { caps: { elicitation: {} } }).over;
  assert.equal(message?.doc.raw(['result', 'inputRequests']), `{"q":${ELICIT}}`);
});
