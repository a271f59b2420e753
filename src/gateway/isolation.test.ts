/**
 * The core alone, over random interleavings of what agents and servers may do: every request gets one closing, its own;
 * nothing of one principal or session reaches another; and at the end everything that was taken is given back.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { asking, countingLimits, event, permitAll, result, testHouse, until } from './house.fixture.ts';
import type { Call, Sent, TestHouse } from './house.fixture.ts';

/** Two principals; the second and third session have the same owner. */
const OWNERS = ['ana', 'bob', 'bob'];
const STEP = fc.record({
  what: fc.constantFrom(
    'call',
    'call',
    'call',
    'cancel',
    'hang up',
    'ask',
    'ask',
    'reply',
    'reply',
    'reply',
    'steal',
    'event',
    'close',
    'close twice',
    'fail',
    'end session',
  ),
  who: fc.nat(2),
  era: fc.constantFrom('modern', 'legacy'),
  id: fc.nat(5),
  /** Which of the calls, which of the asks. */
  nth: fc.nat(5),
});
type Step = typeof STEP extends fc.Arbitrary<infer S> ? S : never;

interface World {
  readonly house: TestHouse;
  readonly sent: { readonly sent: Sent; readonly who: number }[];
  readonly answers: { call: Call; answer: unknown }[];
}

test('every request ends once, with its own answer, and leaves nothing behind', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(STEP as fc.Arbitrary<Step>, { minLength: 20, maxLength: 60, size: 'max' }),
      async (steps) => {
        const limits = countingLimits();
        const house = await testHouse({ parts: { limits: [limits], policy: permitAll } });
        for (const [who, as] of OWNERS.entries()) house.session(`s${who}`, { as, caps: { roots: {} } });
        house.script = () => undefined;
        const world: World = { house, sent: [], answers: [] };
        for (const step of steps) {
          play(step, world);
          // some happen at the same moment, most do not
          if (step.nth > 0) await turn();
        }
        await turn();
        judge(world);
        for (const { sent } of world.sent) sent.handling.cancel('agent_gone');
        for (const who of OWNERS.keys()) house.core.endSession(`s${who}`, 'session_ended');
        // A call whose modern agent was asked in time waits for its retry, which nobody sends here.
        house.core.drain();
        await until(() => house.house.ledger.size === 0);
        assert.equal(limits.taken(), 0, 'what was taken is given back');
        assert.equal(house.house.parked.size, 0);
        assert.deepEqual(house.errors, []);
      },
    ),
    { numRuns: 200 },
  );
});

function play(step: Step, world: World): void {
  const { house } = world;
  const { what, who, era, id, nth } = step;
  const hop =
    era === 'modern'
      ? ({ as: OWNERS[who], caps: { roots: {} } } as const)
      : { as: OWNERS[who], era: 'legacy' as const, session: `s${who}` };
  const call = house.calls[nth];
  switch (what) {
    case 'call':
      world.sent.push({
        who,
        sent: house.send('tools/call', { name: 'read', arguments: { tag: `${who}` } }, { ...hop, id }),
      });
      return;
    case 'cancel':
      house.send('notifications/cancelled', { requestId: id }, { as: OWNERS[who], era: 'legacy', session: `s${who}` });
      return;
    case 'hang up':
      return world.sent[nth]?.sent.handling.cancel('agent_gone');
    case 'ask':
      return call?.outlet.ask(asking('roots/list'), (answer) => void world.answers.push({ call, answer }));
    case 'reply':
      house.answer(
        `token:s${who}`.slice('token:'.length),
        String(nth),
        { roots: [{ uri: `file:///${who}` }] },
        { as: OWNERS[who] },
      );
      return;
    case 'steal':
      // somebody else's session, one's own name
      house.answer(
        `s${(who + 1) % OWNERS.length}`,
        String(nth),
        { roots: [{ uri: `file:///stolen-by-${OWNERS[who]}` }] },
        { as: OWNERS[who] },
      );
      return;
    case 'event':
      return void call?.outlet.event(event('notifications/message', { level: 'error', data: tagOf(call) }));
    case 'close twice':
      call?.outlet.close(result('tools/call', { content: [], tag: tagOf(call) }));
      return call?.outlet.close(result('tools/call', { content: [], tag: 'second' }));
    case 'close':
      return call?.outlet.close(result('tools/call', { content: [], tag: tagOf(call) }));
    case 'fail':
      return call?.outlet.fail('upstream_lost', 'gone');
    case 'end session':
      return house.core.endSession(`s${who}`, 'session_ended');
  }
}

function tagOf({ exchange }: Call): string {
  const { params } = exchange.opening.doc.value as { params: { arguments: { tag: string } } };
  return params.arguments.tag;
}

function judge({ sent, answers, house }: World): void {
  for (const { sent: one, who } of sent) {
    const last = one.said.filter(({ what }) => what !== 'event' && what !== 'ask');
    assert.ok(last.length <= 1, last.map(({ what }) => what).join(', '));
    if (last.length === 1) assert.equal(one.said.at(-1), last[0], 'nothing follows the closing');
    for (const { message, exchange } of one.said) {
      if (exchange) assert.equal(exchange.principal.person, OWNERS[who]);
      const text = message?.doc.bytes.toString() ?? '';
      const tag = /"(?:tag|data)":"([^"]*)"/.exec(text)?.[1];
      if (tag !== undefined) assert.equal(tag, String(who), text);
    }
  }
  const principals = new Map(house.calls.map((call) => [call, call.exchange.principal.person]));
  for (const { call, answer } of answers) {
    const text =
      answer !== null && typeof answer === 'object' && 'doc' in answer
        ? (answer.doc as { bytes: Buffer }).bytes.toString()
        : '';
    const from = /file:\/\/\/([0-9])/.exec(text)?.[1];
    if (from !== undefined) assert.equal(OWNERS[Number(from)], principals.get(call));
    if (from !== undefined) assert.equal(`s${from}`, call.exchange.session, 'the session that was asked');
    const thief = /stolen-by-([a-z]+)/.exec(text)?.[1];
    if (thief !== undefined) assert.equal(thief, principals.get(call), 'only the owner of a session speaks for it');
  }
}
