import assert from 'node:assert/strict';
import { verifies } from '../../test/verifies.ts';
import { fate, instead, result, stops, testHouse } from './house.fixture.ts';
import { INWARD, OUTWARD, type StageRow } from './pipeline.ts';
import { deny, type Verdict } from './verdict.ts';

const read = { name: 'read' };
const ways = [
  ['inward', INWARD],
  ['outward', OUTWARD],
] as const;
const reasonOf = (row: StageRow) => (row.act === 'records' ? 'record_unavailable' : 'stage_failed');

for (const [direction, rows] of ways) {
  for (const row of rows) {
    verifies(
      'fail.closed',
      `${direction}, ${row.stage} that throws, rejects or says nothing refuses in every mode`,
      async () => {
        for (const mode of ['enforce', 'observe'] as const) {
          for (const broken of [throwing, rejecting, saysNothing, saysWrong]) {
            const test = await testHouse({ settings: { mode }, ...instead(direction, row.stage, broken) });
            const sent = test.send('tools/call', read);
            assert.equal(await fate(sent), reasonOf(row), `${mode} ${broken.name}`);
            await sent.handling.crossed;
            assert.deepEqual(sent.said.length, 1);
            assert.equal(test.house.ledger.size, 0);
            if (direction === 'inward' && row.stage !== 'forward') assert.equal(test.calls.length, 0);
          }
        }
      },
    );

    verifies(
      'observe.limited',
      `${direction}, ${row.stage} ${row.observable ? 'is' : 'is not'} relaxed in observe mode`,
      async () => {
        const test = await testHouse({ settings: { mode: 'observe' }, ...instead(direction, row.stage, refuse) });
        const sent = test.send('tools/call', read);
        assert.equal(await fate(sent), row.observable ? 'close' : 'forbidden');
        const would = test.records.flatMap((record) => ('verdicts' in record ? record.verdicts : []));
        const marked = would.filter((verdict) => verdict.would === true);
        assert.deepEqual(
          marked.map(({ stage, reason }) => [stage, reason]),
          row.observable ? [[row.stage, 'forbidden']] : [],
        );
      },
    );
  }
}

function throwing(): Verdict {
  throw new Error('broken');
}
const rejecting = (): Promise<Verdict> => Promise.reject(new Error('broken'));
const saysNothing = (): Verdict => undefined as unknown as Verdict;
const saysWrong = (): Promise<Verdict> => Promise.resolve({ effect: 'allow' } as unknown as Verdict);
const refuse = (): Verdict => deny('forbidden');

verifies('fail.closed', 'a stage that fails is told to the operator, and its words not to the agent', async () => {
  const test = await testHouse(instead('inward', 'inspect', throwing));
  const { verdict } = await test.send('tools/call', read).over;
  assert.equal(verdict?.tell, undefined);
  assert.equal(verdict?.data, undefined);
  assert.equal(verdict?.detail, 'inspect: broken');
  assert.equal(test.errors.length, 1);
});

verifies(
  'observe.limited',
  'what enforce mode refuses by policy passes in observe mode, with the verdict on record',
  async () => {
    const wanted = { name: 'read', arguments: { __proto: 1 } };
    for (const [mode, ended] of [
      ['enforce', 'not_permitted'],
      ['observe', 'redaction_failed'],
    ] as const) {
      const test = await testHouse({ settings: { mode } });
      test.script = ({ outlet }) => outlet.close(result('tools/call', { text: 'hunter2/hunter2' }));
      assert.equal(await fate(test.send('tools/call', wanted, { as: 'eve' })), ended);
      if (mode === 'enforce') assert.deepEqual(stops(test.records), ['inward:authorize not_permitted']);
    }
  },
);

verifies(
  'sync.free',
  'once a message is read, nothing waits: its answer is out before anybody else has a turn',
  async () => {
    const test = await testHouse();
    const sent = test.send('tools/call', read);
    const bodyRead = Promise.resolve().then(() => undefined);
    await bodyRead;
    let turns = 0;
    while (!test.journal.includes('policy.decide')) {
      turns += 1;
      assert.ok(turns < 10);
      await Promise.resolve();
    }
    assert.deepEqual(
      sent.said.map(({ what }) => what),
      ['close'],
    );
  },
);

verifies(
  'sync.free',
  'an outward message of stages that need no waiting is released before the server has its turn back',
  async () => {
    const test = await testHouse();
    const order: string[] = [];
    test.script = ({ outlet }) => {
      outlet.close(result('tools/call'));
      order.push(test.journal.at(-1)!);
    };
    await test.send('tools/call', read).over;
    assert.deepEqual(order, ['reply.close']);
  },
);
