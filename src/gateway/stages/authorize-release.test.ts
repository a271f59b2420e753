import assert from 'node:assert/strict';
import { verifies } from '../../../test/verifies.ts';
import type { Policy } from '../../components/policy/policy.ts';
import { event, fate, hang, permitAll, testHouse } from '../house.fixture.ts';

const read = { name: 'read' };

verifies(
  'release.permitted',
  'an answer that policy does not release does not go out, and the agent learns no rule',
  async () => {
    for (const decision of [{ effect: 'silence' }, { effect: 'forbid', rules: ['secret'] }] as const) {
      const test = await testHouse({ parts: { policy: { ...permitAll, release: () => decision } } });
      const sent = test.send('tools/call', read);
      const { verdict } = await sent.over;
      assert.equal(verdict?.reason, 'release_refused');
      assert.deepEqual(
        sent.said.map(({ what }) => what),
        ['fail'],
      );
    }
  },
);

verifies('release.permitted', 'a call that goes on while policy moves is decided again', async () => {
  let epoch = 0;
  let decided = 0;
  const policy: Policy = {
    ...permitAll,
    epoch: () => epoch,
    decide: (question) => ((decided += 1), epoch === 2 ? { effect: 'silence' } : permitAll.decide(question)),
  };
  const test = await testHouse({ parts: { policy } });
  test.script = hang;
  const sent = test.send('tools/call', read);
  await sent.handling.crossed;
  const { outlet } = test.calls[0]!;
  const progress = () => outlet.event(event('notifications/progress', { progressToken: 1, progress: 1 }));
  await progress();
  assert.deepEqual([decided, sent.said.length], [1, 1]);
  epoch = 1;
  await progress();
  await progress();
  assert.deepEqual([decided, sent.said.length], [2, 3]);
  epoch = 2;
  await progress();
  assert.deepEqual([decided, sent.said.length], [3, 3]);
});

verifies('release.permitted', 'a reload counts as a move although the new policy counts from the start', async () => {
  const test = await testHouse({ parts: { policy: { ...permitAll, epoch: () => 1 } } });
  test.script = hang;
  const sent = test.send('tools/call', read);
  await sent.handling.crossed;
  const silent: Policy = { ...permitAll, decide: () => ({ effect: 'silence' }), epoch: () => 0 };
  Object.assign(test.house, { epoch: 2, parts: { ...test.house.parts, policy: silent } });
  await test.calls[0]!.outlet.event(event('notifications/progress', { progressToken: 1, progress: 1 }));
  assert.equal(sent.said.length, 0);
});

verifies('release.permitted', 'an answer that policy releases goes out', async () => {
  const test = await testHouse({ parts: { policy: permitAll } });
  assert.equal(await fate(test.send('tools/call', read)), 'close');
});
