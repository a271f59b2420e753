import assert from 'node:assert/strict';
import { verifies } from '../../test/verifies.ts';
import type { Identity } from '../components/identity/identity.ts';
import {
  asking,
  event,
  fate,
  hang,
  result,
  testHouse,
  testIdentity,
  testPrincipal,
  until,
  type HouseOptions,
  type TestHouse,
} from './house.fixture.ts';
import type { Principal } from './principal.ts';

const read = { name: 'read' };

interface Proof {
  /** Milliseconds until it ends; undefined: never. */
  life: number | undefined;
  revoked: boolean;
}

/** Everybody's proof is the same; a test shortens it, renews it or revokes it. */
async function proving(life: number | undefined, more: HouseOptions = {}): Promise<TestHouse & { proof: Proof }> {
  const proof: Proof = { life, revoked: false };
  const identity: Identity = {
    identify: () => ({ known: true, principal: principal() }),
    holds: () => !proof.revoked,
  };
  const test = await testHouse({ ...more, parts: { identity: [identity] } });
  const principal = (): Principal => ({
    ...testPrincipal('ana'),
    expires: proof.life === undefined ? undefined : test.clock.now() + proof.life,
  });
  return Object.assign(test, { proof });
}

const outcomes = ({ records }: TestHouse) =>
  records.flatMap((record) => (record.type === 'outcome' ? [record.reason] : []));

verifies('proof.ends', 'a call ends with the proof that opened it, and its server is told', async () => {
  const test = await proving(5);
  test.script = hang;
  assert.equal(await fate(test.send('tools/call', read)), 'proof_ended');
  assert.equal(test.calls[0]!.cancelled, 'proof_ended');
  assert.deepEqual(outcomes(test), ['proof_ended']);
  assert.equal(test.house.ledger.size, 0);
});

verifies(
  'proof.ends',
  'a call ends by its deadline where that comes first, and a proof without an end ends nothing',
  async () => {
    for (const life of [undefined, 60_000, 2 ** 45]) {
      const test = await proving(life, { settings: { serverDeadline: () => 5 } });
      test.script = hang;
      assert.equal(await fate(test.send('tools/call', read)), 'deadline_passed');
    }
  },
);

verifies('proof.ends', 'a listening exchange has no deadline, but its proof has one', async () => {
  const answers = { 'subscriptions/listen': { open: () => ({ cancel() {} }) } };
  const test = await proving(5, { house: { answers } });
  const sent = test.send('subscriptions/listen', { notifications: { toolsListChanged: true } });
  assert.equal(await fate(sent), 'proof_ended');
  assert.equal(test.house.ledger.size, 0);
});

verifies(
  'proof.ends',
  'an answer that comes after the proof ended is not released, though the timer is late',
  async () => {
    for (const [after, told] of [
      [59_999, 'close'],
      [60_000, 'proof_ended'],
    ] as const) {
      const test = await proving(60_000, { settings: { serverDeadline: () => 1e9 } });
      test.script = hang;
      const sent = test.send('tools/call', read);
      await sent.handling.crossed;
      test.clock.advance(after);
      test.calls[0]!.outlet.close(result('tools/call'));
      assert.equal(await fate(sent), told);
    }
  },
);

verifies('proof.ends', 'an event to a revoked proof is kept back, and its listener ends', async () => {
  const test = await proving(undefined);
  const said: string[] = [];
  const { standing } = await stood(test, said);
  await standing.outlet.event(event('notifications/tools/list_changed'));
  test.proof.revoked = true;
  await standing.outlet.event(event('notifications/tools/list_changed'));
  assert.deepEqual(said, ['event', 'fail proof_ended']);
});

verifies(
  'proof.ends',
  'the news of a session end with its proof, unless a later message brought a newer one',
  async () => {
    for (const renewed of [false, true]) {
      const test = await proving(10);
      const said: string[] = [];
      const { standing } = await stood(test, said);
      if (renewed) standing.renew({ ...testPrincipal('ana'), expires: test.clock.now() + 60_000 });
      const later = new Promise((resolve) => setTimeout(resolve, 30));
      await (renewed ? later : until(() => said.length > 0));
      assert.deepEqual(said, renewed ? [] : ['fail proof_ended']);
      standing.end('session_ended');
    }
  },
);

verifies('proof.ends', 'while an ask is answered the deadline rests and the proof does not', async () => {
  const test = await proving(20, { settings: { serverDeadline: () => 5 } });
  test.session('s', { caps: { roots: {} } });
  const answers: string[] = [];
  test.script = ({ outlet }) =>
    outlet.ask(asking('roots/list'), (answer) => answers.push('reason' in answer ? answer.reason : 'answered'));
  const sent = test.send('tools/call', read, { era: 'legacy', session: 's' });
  await sent.handling.crossed;
  assert.equal((await sent.over).verdict?.reason, 'proof_ended');
  assert.equal(answers.length, 1);
  assert.equal(test.house.ledger.size, 0);
});

verifies('proof.ends', 'what a part does not know is no reason to end', async () => {
  const test = await testHouse({ parts: { identity: [testIdentity] } });
  assert.equal(await fate(test.send('tools/call', read)), 'close');
});

async function stood(test: TestHouse, said: string[]) {
  test.session('s');
  await test.send('initialize', {}, { era: 'legacy' }).over;
  const reply = {
    event: () => void said.push('event'),
    fail: (_: unknown, verdict: { reason: string }) => void said.push(`fail ${verdict.reason}`),
  };
  return { standing: test.core.stand(test.own[0]!.exchange, 's', reply as never) };
}
