import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { verifies } from '../../test/verifies.ts';
import { samplePrincipal } from '../components/samples.ts';
import { memoryRecords } from '../components/store/records.fixture.ts';
import type { Records } from '../components/store/store.ts';
import type { Principal } from '../gateway/principal.ts';
import { manualClock, type ManualClock } from '../lib/clock.ts';
import { newAgent, type NewAgent } from './agent.ts';
import { Agents, type Unknown } from './agents.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} };

interface Opening {
  readonly records?: Records;
  readonly tenant?: string;
  readonly clock?: ManualClock;
  readonly unknown?: Unknown;
}

const opened = ({
  records = memoryRecords(),
  tenant = 'default',
  clock = manualClock(),
  unknown = 'guest',
}: Opening = {}) => Agents.open({ records, tenant, clock, log, unknown: () => unknown });

const claude = (more: Partial<NewAgent> = {}): NewAgent =>
  newAgent.parse({
    name: 'claude',
    owner: 'ada',
    proofs: [{ use: 'samples', issuer: 'samples', subject: 'ada' }],
    ...more,
  });
const ada = samplePrincipal('ada');
const verdict = (agents: Agents, principal: Principal = ada) => {
  const known = agents.known(principal);
  return 'effect' in known ? known.reason : known;
};

verifies('agents.unknown', 'who is not registered is refused, held back or a guest, as the setting says', async () => {
  assert.equal(verdict(await opened({ unknown: 'refuse' })), 'agent_unknown');
  assert.deepEqual(verdict(await opened({ unknown: 'quarantine' })), { ...ada, quarantined: true });
  assert.equal(verdict(await opened({ unknown: 'guest' })), ada);
});

verifies('agents.unknown', 'a proof that differs in one property is not the registered one', async () => {
  const agents = await opened({ unknown: 'refuse' });
  await agents.add(claude());
  const twins: Partial<Principal>[] = [
    { subject: 'ada2' },
    { issuer: 'others' },
    { proof: { use: 'others', strength: 'bearer' } },
    { tenant: 'others' },
  ];
  for (const twin of twins) assert.equal(verdict(agents, { ...ada, ...twin }), 'agent_unknown', JSON.stringify(twin));
  assert.ok(typeof verdict(agents) === 'object');
});

verifies('agents.stopped', 'suspended and expired agents are refused, and come back when that is over', async () => {
  const clock = manualClock();
  const agents = await opened({ clock });
  const expires = new Date(clock.now() + 60_000).toISOString();
  await agents.add(claude({ expires }));
  await agents.change('claude', { state: 'suspended', why: 'asked for keys' });
  assert.equal(verdict(agents), 'agent_suspended');
  await agents.change('claude', { state: 'active', why: null });
  assert.ok(typeof verdict(agents) === 'object');
  clock.advance(60_000);
  agents.reloaded();
  assert.equal(verdict(agents), 'agent_expired');
  await agents.change('claude', { expires: null });
  assert.ok(typeof verdict(agents) === 'object');
  await agents.close();
});

test('a registered agent has its name, its groups and its servers, and keeps its key', async () => {
  const agents = await opened();
  await agents.add(claude({ groups: ['readers'], servers: ['files'] }));
  const known = agents.known({ ...ada, groups: ['staff'], reach: [{ actions: ['tool.*'] }] });
  assert.ok(!('effect' in known));
  assert.deepEqual([known.agent, known.groups, known.key], ['claude', ['staff', 'readers'], ada.key]);
  assert.deepEqual(known.reach, [{ actions: ['tool.*'] }, { servers: ['files'] }]);
});

test('the answer stays the same object until something about this caller changes', async () => {
  const agents = await opened();
  await agents.add(claude());
  const known = agents.known(ada);
  await agents.add(claude({ name: 'other', proofs: [{ use: 'local', subject: 'bob' }] }));
  assert.equal(agents.known(ada), known);
  assert.equal(agents.known(known as Principal), known);
  await agents.change('claude', { groups: ['readers'] });
  assert.notEqual(agents.known(known as Principal), known);
});

verifies('agents.stopped', 'a proof that two agents claim is nobody’s', async () => {
  const records = memoryRecords();
  const [one, two] = [await opened({ records }), await opened({ records })];
  // Two replicas at the same time: neither knows of the other's agent yet.
  await Promise.all([one.add(claude()), two.add(claude({ name: 'other' }))]);
  await Promise.all([one.close(), two.close()]);
  assert.equal(verdict(await opened({ records })), 'agent_suspended');
});

test('a name or a proof is given once', async () => {
  const agents = await opened();
  await agents.add(claude());
  assert.deepEqual(await agents.add(claude()), { ok: false, why: 'taken', by: 'claude' });
  assert.deepEqual(await agents.add(claude({ name: 'other' })), { ok: false, why: 'taken', by: 'claude' });
  assert.deepEqual(await agents.change('nobody', {}), { ok: false, why: 'unknown' });
});

verifies('agents.stopped', 'another replica is told, and asks what is open again', async () => {
  const records = memoryRecords();
  const [one, two] = [await opened({ records }), await opened({ records })];
  await one.add(claude());
  const { promise, resolve } = Promise.withResolvers<void>();
  two.onChange(() => verdict(two) === 'agent_suspended' && resolve());
  await one.change('claude', { state: 'suspended' });
  await promise;
});

test('proofs are compared exactly: no patterns, no names without an issuer, nothing that a terminal would obey', () => {
  const wrong = [
    { proofs: [] },
    { proofs: [{ use: 'oauth', subject: 'ada' }] },
    { proofs: [{ use: 'oauth', issuer: 'https://idp.test' }] },
    { owner: 'a\u001b[2J' },
    { owner: 'a\u202eb' },
    { name: 'Claude' },
  ];
  for (const twin of wrong) assert.ok(!newAgent.safeParse({ ...claude(), ...twin }).success, JSON.stringify(twin));
  assert.ok(newAgent.safeParse(claude()).success);
});

verifies('agents.tenants', 'property: an agent never crosses tenants', async () => {
  const name = fc.constantFrom('a', 'b', 'a|b', '1:a', '');
  await fc.assert(
    fc.asyncProperty(name, name, name, async (mine, theirs, subject) => {
      fc.pre(mine !== theirs && mine !== '' && theirs !== '' && subject !== '');
      const records = memoryRecords();
      const [here, there] = [
        await opened({ records, tenant: mine, unknown: 'refuse' }),
        await opened({ records, tenant: theirs, unknown: 'refuse' }),
      ];
      await here.add(claude({ proofs: [{ use: 'samples', issuer: 'samples', subject }] }));
      const caller = (tenant: string) => samplePrincipal(subject, { tenant });
      assert.ok(typeof verdict(here, caller(mine)) === 'object');
      for (const [agents, tenant] of [
        [here, theirs],
        [there, mine],
        [there, theirs],
      ] as const) {
        assert.equal(verdict(agents, caller(tenant)), 'agent_unknown');
      }
      assert.equal(there.get('claude'), undefined);
    }),
    { numRuns: 50 },
  );
});
