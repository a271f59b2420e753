import assert from 'node:assert/strict';
import { verifies } from '../../test/verifies.ts';
import { expelBlocked, expelRevoked } from './expel.ts';
import { hang, testHouse, testIdentity, testPrincipal } from './house.fixture.ts';
import type { Agents } from './ports.ts';
import type { Principal } from './principal.ts';
import { deny } from './verdict.ts';

/** Answers of a registry: the same object for a caller as long as nothing is changed. */
function registry(): Agents & { readonly stopped: Set<string>; narrowed: Principal['reach'] } {
  const stopped = new Set<string>();
  const agents: ReturnType<typeof registry> = {
    stopped,
    narrowed: undefined,
    known: (principal) => {
      if (stopped.has(principal.subject)) return deny('agent_suspended');
      return agents.narrowed ? { ...principal, reach: agents.narrowed } : principal;
    },
  };
  return agents;
}

async function running(agents: Agents, identity = testIdentity) {
  const forgotten: (string | undefined)[] = [];
  const test = await testHouse({ house: { agents }, parts: { identity: [identity] } });
  Object.assign(test.house.upstreams, { forget: (hop: { principal?: string }) => forgotten.push(hop.principal) });
  test.script = hang;
  const hers = test.send('tools/call', { name: 'files.read' }, { as: 'ana' });
  const his = test.send('tools/call', { name: 'web.read' }, { as: 'bob', id: 2 });
  await Promise.all([hers.handling.crossed, his.handling.crossed]);
  return { test, forgotten, ends: () => test.calls.map(({ cancelled }) => cancelled) };
}

verifies('agents.stopped', 'only the calls of who is stopped end, and its processes go', async () => {
  const agents = registry();
  const { test, ends, forgotten } = await running(agents);
  agents.stopped.add('ana');
  expelBlocked(test.house);
  assert.deepEqual(ends(), ['suspended', undefined]);
  assert.deepEqual(forgotten, [testPrincipal('ana').key]);
});

verifies('reach.narrows', 'a call to a server that is out of reach now ends; one within reach goes on', async () => {
  const agents = registry();
  const { test, ends, forgotten } = await running(agents);
  agents.narrowed = [{ servers: ['files'] }];
  expelBlocked(test.house);
  assert.deepEqual([ends(), forgotten], [[undefined, 'suspended'], []]);
});

verifies('agents.stopped', 'what was opened with a proof that counts no longer ends', async () => {
  const holds = ({ subject }: Principal): boolean => subject !== 'ana';
  const { test, ends } = await running(registry(), { ...testIdentity, holds });
  expelRevoked(test.house);
  assert.deepEqual(ends(), ['proof_ended', undefined]);
});

verifies('agents.stopped', 'who is stopped while its body comes is stopped at the next stage that asks', async () => {
  const agents = registry();
  const test = await testHouse({ house: { agents } });
  const sent = test.send('tools/call', { name: 'files.read' });
  // The body is read in a later turn.
  agents.stopped.add('ana');
  assert.equal((await sent.over).verdict?.reason, 'agent_suspended');
  assert.equal(test.calls.length, 0);
});
