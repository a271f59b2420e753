import assert from 'node:assert/strict';
import { verifies } from '../../test/verifies.ts';
import { fate, stops, testHouse, testIdentity, testPrincipal } from './house.fixture.ts';
import type { Principal, Reach } from './principal.ts';
import { outOfReach, serversInReach } from './reach.ts';

const within = (...reach: readonly Reach[]): Principal => ({ ...testPrincipal('ana'), reach });
const tool = (server: string) =>
  ({ of: 'definition', server, kind: 'tool', name: 'read', definition: undefined }) as const;
const reason = (principal: Principal, action: string, server = 'files') =>
  outOfReach(principal, action, tool(server))?.reason;

verifies('reach.narrows', 'what a key or a registration does not hold is out of reach, and its twin is not', () => {
  const files = within({ servers: ['files'] });
  assert.equal(reason(files, 'tool.call', 'web'), 'out_of_reach');
  assert.equal(reason(files, 'tool.call', 'files'), undefined);
  const calls = within({ actions: ['tool.*'] });
  assert.equal(reason(calls, 'prompt.get'), 'out_of_reach');
  assert.equal(reason(calls, 'tools.call'), 'out_of_reach');
  assert.equal(reason(calls, 'tool.call'), undefined);
});

verifies('reach.narrows', 'an empty list reaches nothing, and what is not narrowed reaches everything', () => {
  assert.equal(reason(within({ servers: [] }), 'tool.call'), 'out_of_reach');
  assert.equal(reason(within({ actions: [] }), 'tool.call'), 'out_of_reach');
  assert.equal(reason(within({}), 'tool.call'), undefined);
  assert.equal(reason(testPrincipal('ana'), 'tool.call'), undefined);
});

verifies('reach.narrows', 'key and agent must both agree: neither widens the other', () => {
  const both = within({ servers: ['files', 'web'] }, { servers: ['web', 'mail'] });
  assert.deepEqual(serversInReach(both, ['files', 'web', 'mail']), ['web']);
});

verifies('reach.narrows', 'an administrative action needs its own scope', () => {
  assert.equal(
    outOfReach(within({ actions: ['tool.*'] }), 'admin.agents.write', { of: 'gateway' })?.reason,
    'out_of_reach',
  );
  assert.equal(outOfReach(within({ actions: ['admin.*'] }), 'admin.agents.write', { of: 'gateway' }), undefined);
});

const houseOf = (more: Partial<Principal>) =>
  testHouse({
    parts: {
      identity: [
        {
          identify: (arrival) => {
            const identified = testIdentity.identify(arrival);
            if (identified instanceof Promise || !identified.known) return identified;
            return { known: true, principal: { ...identified.principal, ...more } };
          },
        },
      ],
    },
  });

verifies('reach.narrows', 'a server out of reach is not asked, although policy would permit it', async () => {
  const test = await houseOf({ reach: [{ servers: ['files'] }] });
  assert.equal(await fate(test.send('tools/call', { name: 'web.read' })), 'out_of_reach');
  assert.deepEqual(stops(test.records), ['inward:admit out_of_reach']);
  assert.equal(test.calls.length, 0);
  assert.equal(await fate(test.send('tools/call', { name: 'files.read' })), 'close');
});

verifies('reach.narrows', 'the endpoint of a server out of reach does not exist', async () => {
  const test = await houseOf({ reach: [{ servers: ['files'] }] });
  const list = (server: string) => fate(test.send('tools/list', {}, { endpoint: { kind: 'server', server } }));
  assert.equal(await list('web'), 'server_unknown');
  assert.equal(await list('files'), 'close');
});

verifies('agents.quarantine', 'an agent in quarantine may list, and nothing else, also in observe mode', async () => {
  const test = await houseOf({ quarantined: true });
  test.house.settings = { ...test.house.settings, mode: 'observe' };
  for (const [method, params] of [
    ['tools/call', { name: 'read' }],
    ['resources/read', { uri: 'file:///a' }],
    ['subscriptions/listen', {}],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'greet' } }],
  ] as const) {
    assert.equal(await fate(test.send(method, params)), 'agent_quarantined', method);
  }
  assert.equal(test.calls.length, 0);
  for (const method of ['tools/list', 'prompts/list', 'resources/list', 'server/discover']) {
    assert.equal(await fate(test.send(method)), 'close', method);
  }
});
