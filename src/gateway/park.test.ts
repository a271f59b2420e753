import assert from 'node:assert/strict';
import { verifies } from '../../test/verifies.ts';
import type { AuditRecord } from '../components/audit/record.ts';
import type { JsonObject } from './document.ts';
import type { Message } from './exchange.ts';
import {
  asking,
  docOf,
  event,
  fate,
  instead,
  result,
  testHouse,
  until,
  type Call,
  type HouseOptions,
  type Script,
  type SendOptions,
  type Sent,
  type TestHouse,
} from './house.fixture.ts';
import { deny, PASS, type Deny } from './verdict.ts';

const read = { name: 'read' };
const able: SendOptions = { caps: { elicitation: {}, sampling: {}, roots: {} } };

/** What a server was told: the exact text of a result, or the reason why there is none. */
const told = (answer: Message | Deny): string => ('reason' in answer ? answer.reason : answer.doc.raw(['result'])!);

interface Question {
  readonly keys: readonly string[];
  readonly methods: readonly unknown[];
  readonly requestState: string;
}

async function question(sent: Sent): Promise<Question> {
  const { message } = await sent.over;
  const { result: value } = message!.doc.value as { result: { [member: string]: JsonObject } };
  assert.equal(value['resultType'], 'input_required');
  const requests = value['inputRequests'] ?? {};
  return {
    keys: Object.keys(requests),
    methods: Object.values(requests).map((request) => (request as JsonObject)['method']),
    requestState: value['requestState'] as unknown as string,
  };
}

/** A server that asks these at once, and answers what it is asked to say. */
function asks(answers: string[], ...methods: readonly string[]): Script {
  return ({ outlet }) => {
    for (const method of methods) outlet.ask(asking(method), (answer) => answers.push(told(answer)));
  };
}

function responses(keys: readonly string[], value: JsonObject = { action: 'accept' }): JsonObject {
  return Object.fromEntries(keys.map((key) => [key, value]));
}

/** A call that waits for its agent, which was asked for an elicitation. */
async function parked(options: HouseOptions = {}) {
  const test = await testHouse(options);
  const answers: string[] = [];
  test.script = asks(answers, 'elicitation/create');
  const asked = await question(test.send('tools/call', read, able));
  const retry = (more: JsonObject = {}, how: SendOptions = {}) =>
    test.send('tools/call', retryParams(asked, more), { ...able, ...how });
  return { test, answers, asked, retry, call: test.calls[0]! };
}

function retryParams({ keys, requestState }: Question, more: JsonObject = {}): JsonObject {
  return { ...read, requestState, inputResponses: responses(keys), ...more };
}

/** Every attempt has exactly one outcome. */
function assertConcluded(records: readonly AuditRecord[]): void {
  const of = (type: 'attempt' | 'outcome'): string[] =>
    records.flatMap((record) => (record.type === type ? [record.exchange] : [])).sort((a, b) => a.localeCompare(b));
  assert.deepEqual(of('outcome'), of('attempt'));
}

function assertAtRest({ house, records }: TestHouse): void {
  assert.equal(house.ledger.size, 0);
  assert.equal(house.parked.size, 0);
  assertConcluded(records);
}

// ---- who may continue it ---------------------------------------------------------------------------------------

verifies(
  'park.own-retry',
  'a retry of another principal is refused, and the call goes on waiting for its own',
  async () => {
    const { test, retry, answers, call } = await parked();
    assert.equal(await fate(retry({}, { as: 'bob' })), 'retry_mismatch');
    assert.deepEqual([answers, call.cancelled], [[], undefined]);
    const own = retry();
    await own.handling.crossed;
    call.outlet.close(result('tools/call'));
    assert.equal(await fate(own), 'close');
    assert.deepEqual(answers, ['{"action":"accept"}']);
    assertConcluded(test.records);
  },
);

verifies('park.own-retry', 'a retry of another request is refused: name, arguments, method, endpoint', async () => {
  const { retry, call, test, asked } = await parked();
  assert.equal(await fate(retry({ name: 'write' })), 'retry_mismatch');
  assert.equal(await fate(retry({ arguments: { force: true } })), 'retry_mismatch');
  assert.equal(await fate(test.send('prompts/get', retryParams(asked), able)), 'retry_mismatch');
  assert.equal(await fate(retry({}, { endpoint: { kind: 'server', server: 'files' } })), 'retry_mismatch');
  assert.equal(call.cancelled, undefined);
});

verifies('park.own-retry', 'a retry that differs in the last digit of a huge integer is another request', async () => {
  const test = await testHouse();
  test.script = asks([], 'elicitation/create');
  const raw = (integer: string, more = '') =>
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":{"n":${integer}}${more}}}`;
  const { requestState } = await question(test.send('tools/call', {}, { ...able, raw: raw('9007199254740993') }));
  const retry = (integer: string) =>
    test.send('tools/call', {}, { ...able, raw: raw(integer, `,"requestState":"${requestState}"`) });
  assert.equal(await fate(retry('9007199254740992')), 'retry_mismatch');
  assert.equal((await question(retry('9007199254740993'))).keys.length, 1);
});

verifies(
  'park.own-retry',
  'of two retries one continues the call; the other is refused and does not end it',
  async () => {
    const { retry, call, answers, test } = await parked();
    const [first, second] = [retry(), retry()];
    assert.equal(await fate(second), 'retry_mismatch');
    await first.handling.crossed;
    assert.equal(call.cancelled, undefined);
    call.outlet.close(result('tools/call'));
    assert.equal(await fate(first), 'close');
    assert.equal(await fate(retry()), 'retry_lost');
    assert.equal(answers.length, 1);
    assertAtRest(test);
  },
);

verifies(
  'park.own-retry',
  'after a restart, and on another replica, the retry is told at once that its call is gone',
  async () => {
    const { test, asked } = await parked();
    const { keyring, consume } = test.house;
    for (const house of [{ keyring }, { keyring, consume }]) {
      const other = await testHouse({ house });
      assert.equal(await fate(other.send('tools/call', retryParams(asked), able)), 'retry_lost');
      assert.equal(other.calls.length, 0);
    }
  },
);

verifies('park.own-retry', 'a retry that comes when nobody waits any more is told so at once', async () => {
  const { test, retry, answers, call } = await parked({ settings: { askDeadline: 5 } });
  await until(() => test.house.parked.size === 0);
  assert.equal(await fate(retry()), 'retry_lost');
  assert.equal(call.cancelled, 'deadline_passed');
  assert.deepEqual(answers, ['deadline_passed']);
  assertAtRest(test);
});

verifies('park.own-retry', 'a call that is given up while its retry waits for a stage is not continued', async () => {
  const { promise: decided, resolve: decide } = Promise.withResolvers<void>();
  let retries = 0;
  const slow = instead('inward', 'approve', () => ((retries += 1) > 1 ? decided.then(() => PASS) : PASS));
  const { test, retry } = await parked(slow);
  const sent = retry();
  await until(() => retries > 1);
  test.core.drain();
  decide();
  assert.equal(await fate(sent), 'retry_lost');
  assertAtRest(test);
});

// ---- given up --------------------------------------------------------------------------------------------------

verifies('park.given-up', 'a retry that policy refuses gives the call up, and its server is told', async () => {
  let times = 0;
  const second = instead('inward', 'authorize', () => ((times += 1) > 1 ? deny('not_permitted') : PASS));
  const { test, retry, answers, call } = await parked(second);
  assert.equal(await fate(retry()), 'not_permitted');
  assert.deepEqual([call.cancelled, answers], ['agent_cancelled', ['cancelled']]);
  assertAtRest({ ...test, records: test.records.filter(({ type }) => type !== 'refusal') });
});

verifies('park.given-up', 'a question that may not go out ends the call at its server too', async () => {
  const test = await testHouse({
    stages: (way, stage) =>
      way === 'outward' && stage.stage === 'inspect'
        ? { ...stage, run: ({ kind }) => (kind === 'closing' ? deny('inspection_refused') : PASS) }
        : stage,
  });
  const answers: string[] = [];
  test.script = asks(answers, 'elicitation/create');
  assert.equal(await fate(test.send('tools/call', read, able)), 'inspection_refused');
  assert.equal(test.calls[0]!.cancelled, 'agent_cancelled');
  assert.equal(answers.length, 1);
  assertAtRest(test);
});

verifies(
  'park.given-up',
  'an ask that the agent did not offer ends its request with the capability it lacks',
  async () => {
    const test = await testHouse();
    const answers: string[] = [];
    test.script = (call) => queueMicrotask(() => asks(answers, 'sampling/createMessage')(call));
    const { verdict } = await test.send('tools/call', read, { caps: { elicitation: {} } }).over;
    assert.equal(verdict?.reason, 'capability_missing');
    assert.deepEqual(verdict.data, { requiredCapabilities: { sampling: {} } });
    assert.deepEqual([test.calls[0]!.cancelled, answers], ['agent_cancelled', ['capability_missing']]);
    assertAtRest({ ...test, records: [] });
  },
);

verifies('park.given-up', 'an agent that hangs up before it is asked leaves nothing that waits', async () => {
  const test = await testHouse();
  const answers: string[] = [];
  test.script = asks(answers, 'elicitation/create');
  const sent = test.send('tools/call', read, able);
  await until(() => test.house.ledger.size === 2);
  sent.handling.cancel('agent_gone');
  assert.equal(test.calls[0]!.cancelled, 'agent_gone');
  assert.equal(answers.length, 1);
  assertAtRest(test);
});

verifies('park.given-up', 'an agent that hangs up its retry cancels the call that it continued', async () => {
  const { test, retry, call } = await parked();
  const sent = retry();
  await sent.handling.crossed;
  sent.handling.cancel('agent_gone');
  assert.equal(call.cancelled, 'agent_gone');
  assertAtRest(test);
});

verifies('park.given-up', 'one principal has at most 64 calls that wait; the oldest makes room', async () => {
  const test = await testHouse();
  test.script = asks([], 'elicitation/create');
  const sent = Array.from({ length: 65 }, (_, id) => test.send('tools/call', read, { ...able, id }));
  await Promise.all(sent.map(({ over }) => over));
  assert.equal(test.house.parked.size, 64);
  assert.deepEqual(
    test.calls.map(({ cancelled }) => cancelled),
    ['agent_gone', ...Array.from({ length: 64 }, () => undefined)],
  );
});

verifies('park.given-up', 'a gateway that drains gives up who waits, and parks nobody anew', async () => {
  const { test, answers, call } = await parked();
  let working: Call | undefined;
  test.script = (one) => void (working = one);
  const sent = test.send('tools/call', read, able);
  await sent.handling.crossed;
  test.core.drain();
  assert.equal(call.cancelled, 'draining');
  working!.outlet.ask(asking('elicitation/create'), (answer) => answers.push(told(answer)));
  working!.outlet.close(result('tools/call'));
  assert.equal(await fate(sent), 'close');
  assert.deepEqual(answers, ['draining', 'draining']);
  assertAtRest(test);
});

// ---- nothing is lost -------------------------------------------------------------------------------------------

verifies(
  'park.nothing-lost',
  'what a server asks at once is one question, and each answer comes to its ask as it was given',
  async () => {
    const test = await testHouse();
    const answers: string[] = [];
    test.script = asks(answers, 'elicitation/create', 'sampling/createMessage', 'roots/list');
    const { keys, methods, requestState } = await question(test.send('tools/call', read, able));
    assert.deepEqual(methods, ['elicitation/create', 'sampling/createMessage', 'roots/list']);
    const texts = [
      '{"action":"accept","content":{"n":12345678901234567890},"x-own":1.50}',
      '{"model":"m"}',
      '{"roots":[]}',
    ];
    const given = keys.map((key, at) => `"${key}":${texts[at]}`);
    const raw = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"read","inputResponses":{"else":{},${given.join(',')}},"requestState":"${requestState}"}}`;
    const sent = test.send('tools/call', {}, { ...able, raw });
    await sent.handling.crossed;
    assert.deepEqual(answers, texts);
    test.calls[0]!.outlet.close(result('tools/call'));
    assert.equal(await fate(sent), 'close');
    assert.equal(test.calls.length, 1);
    assertAtRest(test);
  },
);

verifies('park.nothing-lost', 'an answer that is missing is asked for again, and only that one', async () => {
  const test = await testHouse();
  const answers: string[] = [];
  test.script = asks(answers, 'elicitation/create', 'roots/list');
  const first = await question(test.send('tools/call', read, able));
  const half = { ...first, keys: first.keys.slice(0, 1) };
  const second = await question(test.send('tools/call', retryParams(half), able));
  assert.deepEqual(second.keys, first.keys.slice(1));
  assert.notEqual(second.requestState, first.requestState);
  const sent = test.send('tools/call', retryParams(second), able);
  await sent.handling.crossed;
  test.calls[0]!.outlet.close(result('tools/call'));
  assert.equal(await fate(sent), 'close');
  assert.equal(answers.length, 2);
  assertAtRest(test);
});

verifies('park.nothing-lost', 'what a server asks while its agent is away is asked by the retry', async () => {
  const { test, retry, answers, call } = await parked();
  call.outlet.ask(asking('roots/list'), (answer) => answers.push(told(answer)));
  const again = await question(retry());
  assert.deepEqual(again.methods, ['roots/list']);
  assert.deepEqual(answers, ['{"action":"accept"}']);
  const sent = test.send('tools/call', retryParams(again), able);
  await sent.handling.crossed;
  assert.equal(answers.length, 2);
  call.outlet.close(result('tools/call'));
  assert.equal(await fate(sent), 'close');
  assertAtRest(test);
});

verifies(
  'park.nothing-lost',
  'the last word of a server while its agent is away is the answer to the retry',
  async () => {
    for (const [say, heard] of [
      [({ outlet }: Call) => outlet.close(result('tools/call', { content: [] })), 'close'],
      [({ outlet }: Call) => outlet.fail('upstream_lost', 'it died'), 'upstream_lost'],
    ] as const) {
      const { test, retry, call } = await parked();
      say(call);
      assert.equal(await fate(retry({ inputResponses: {} })), heard);
      assertAtRest(test);
    }
  },
);

verifies(
  'park.nothing-lost',
  'the last word of a server while the question is being recorded is not lost',
  async () => {
    let hold = Promise.withResolvers<void>();
    const slow = instead('outward', 'label', ({ kind }) => (kind === 'closing' ? hold.promise.then(() => PASS) : PASS));
    const test = await testHouse(slow);
    test.script = asks([], 'elicitation/create');
    const sent = test.send('tools/call', read, able);
    await until(() => [...test.house.ledger.all()].some(({ parked: one }) => one?.asked));
    test.calls[0]!.outlet.close(result('tools/call', { content: [] }));
    hold.resolve();
    const asked = await question(sent);
    hold = Promise.withResolvers();
    hold.resolve();
    assert.equal(await fate(test.send('tools/call', retryParams(asked), able)), 'close');
    assertAtRest(test);
  },
);

verifies('park.nothing-lost', 'progress after a retry goes to the retry, which has a token of its own', async () => {
  const { test, retry, call } = await parked();
  await call.outlet.event(event('notifications/progress', { progressToken: 'first', progress: 1 }));
  const sent = retry({ _meta: { progressToken: 'second' } });
  await sent.handling.crossed;
  await call.outlet.event(event('notifications/progress', { progressToken: 'first', progress: 2 }));
  const events = sent.said.filter(({ what }) => what === 'event');
  assert.deepEqual(
    events.map(({ exchange, message }) => [exchange?.progressToken, message?.doc.raw(['params', 'progress'])]),
    [['"second"', '2']],
  );
  call.outlet.close(result('tools/call'));
  assert.equal(await fate(sent), 'close');
  assertAtRest(test);
});

verifies('park.nothing-lost', 'an ask that its server takes back is not asked any more', async () => {
  const test = await testHouse();
  const answers: string[] = [];
  test.script = ({ outlet }) => {
    outlet.ask(withId('"s1"'), (answer) => answers.push(told(answer)));
    outlet.ask(withId('"s2"'), (answer) => answers.push(told(answer)));
    void outlet.event(event('notifications/cancelled', { requestId: 's1' }));
  };
  const { keys } = await question(test.send('tools/call', read, able));
  assert.equal(keys.length, 1);
  assert.deepEqual(answers, ['cancelled']);
});

verifies('ask.child', 'a legacy agent is told by the id that it knows which ask its server takes back', async () => {
  const test = await testHouse();
  test.session('s', { caps: { elicitation: {} } });
  test.script = ({ outlet }) => {
    outlet.ask(withId('"s1"'), () => undefined);
    void outlet.event(event('notifications/cancelled', { requestId: 's1' }));
    void outlet.event(event('notifications/cancelled', { requestId: 1 }));
  };
  const sent = test.send('tools/call', read, { era: 'legacy', session: 's' });
  await sent.handling.crossed;
  assert.deepEqual(
    sent.said.map(({ what }) => what),
    ['ask', 'event'],
  );
  assert.equal(sent.said[1]!.message!.doc.raw(['params', 'requestId']), sent.said[0]!.exchange!.requestId);
  assert.equal(test.house.ledger.size, 1);
});

/** An ask under the id that its server chose. */
function withId(id: string): Message {
  return {
    kind: 'opening',
    method: 'elicitation/create',
    doc: docOf(`{"jsonrpc":"2.0","id":${id},"method":"elicitation/create","params":{}}`),
    payload: 'params',
  };
}
