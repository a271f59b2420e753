import assert from 'node:assert/strict';
import { verifies } from '../../test/verifies.ts';
import { testHouse } from './house.fixture.ts';
import { INWARD, OUTWARD, way, type StageName, type StageRow } from './pipeline.ts';
import { bind } from './stages/stages.ts';

const before = (rows: readonly StageRow[], first: StageName, second: StageName): void => {
  const at = (name: StageName) => rows.findIndex(({ stage }) => stage === name);
  assert.ok(at(first) >= 0 && at(first) < at(second), `${first} must stand before ${second}`);
};

verifies('order.in-words', 'a caller is identified before its message is read, and bounded before that', () => {
  before(INWARD, 'head', 'authenticate');
  before(INWARD, 'authenticate', 'throttle');
  before(INWARD, 'throttle', 'read');
});

verifies('order.in-words', 'what is meant is known before anybody judges it', () => {
  for (const judge of ['limit', 'admit', 'validate', 'inspect', 'authorize'] as const) before(INWARD, 'resolve', judge);
});

verifies('order.in-words', 'facts are found before policy decides, and policy decides before a person is asked', () => {
  before(INWARD, 'inspect', 'authorize');
  before(INWARD, 'authorize', 'approve');
});

verifies('order.in-words', 'a call is authorized and approved before a credential is issued', () => {
  before(INWARD, 'authorize', 'credential');
  before(INWARD, 'approve', 'credential');
});

verifies('order.in-words', 'nothing judges after a credential was issued', () => {
  const after = INWARD.slice(INWARD.findIndex(({ stage }) => stage === 'credential') + 1);
  assert.deepEqual(
    after.filter(({ act }) => act === 'judges'),
    [],
  );
});

verifies('order.in-words', 'nothing is forwarded before its attempt is kept, and forwarding is the end', () => {
  before(INWARD, 'keep', 'forward');
  assert.equal(INWARD.at(-1)?.stage, 'forward');
});

verifies('order.in-words', 'redaction stands after inspection and release, and before keep', () => {
  before(OUTWARD, 'inspect', 'redact');
  before(OUTWARD, 'authorizeRelease', 'redact');
  before(OUTWARD, 'redact', 'keep');
  before(OUTWARD, 'keep', 'release');
  assert.equal(OUTWARD.at(-1)?.stage, 'release');
});

verifies('order.in-words', 'openings, events and closings are read, judged, kept and moved in both directions', () => {
  for (const kind of ['opening', 'event', 'closing'] as const) {
    const inward = way('inward', kind).map(({ stage }) => stage);
    const outward = way('outward', kind).map(({ stage }) => stage);
    for (const stage of [
      'authenticate',
      'read',
      'correlate',
      'validate',
      'inspect',
      'authorize',
      'keep',
      'forward',
    ] as const)
      assert.ok(inward.includes(stage), `${kind} skips ${stage}`);
    assert.equal(outward.length, OUTWARD.length, `${kind} skips a stage on the way out`);
  }
});

verifies('order.in-words', 'what observe mode never relaxes is not marked observable', () => {
  const never = ['head', 'authenticate', 'read', 'correlate', 'admit', 'credential', 'keep', 'match', 'release'];
  const relaxed = [...INWARD, ...OUTWARD].filter(({ observable }) => observable).map(({ stage }) => stage);
  assert.deepEqual(
    relaxed.filter((stage) => never.includes(stage)),
    [],
  );
});

verifies('pipeline.complete', 'a row without a file behind it does not start', async () => {
  const { house } = await testHouse();
  assert.throws(() => bind([INWARD[0]!], {}, house), /names head, and no file stands behind it/);
});

verifies('pipeline.complete', 'every row of the pipeline is bound to the stage of its name', async () => {
  const { house } = await testHouse();
  assert.deepEqual(
    house.stages.inward.map(({ stage }) => stage),
    INWARD.map(({ stage }) => stage),
  );
  assert.deepEqual(
    house.stages.outward.map(({ stage }) => stage),
    OUTWARD.map(({ stage }) => stage),
  );
});

verifies('order.in-words', 'a permitted call visits the parts in the order of the laws', async () => {
  const test = await testHouse();
  await test.send('tools/call', { name: 'files.read' }).over;
  assert.deepEqual(test.journal, [
    'identity.identify',
    'limits.reading',
    'body',
    'policy.epoch',
    'catalog.servers',
    'catalog.resolve',
    'limits.opening',
    'inspection.inspect',
    'policy.decide',
    'credentials.issue',
    'audit.attempt',
    'upstream.open',
    'inspection.inspect',
    'policy.epoch',
    'policy.release',
    'redaction.redact',
    'audit.outcome',
    'reply.close',
  ]);
});
