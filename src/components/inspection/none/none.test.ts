import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleCall, sampleDeps, sampleExchange } from '../../samples.ts';
import { inspectionSuite } from '../inspection.suite.ts';
import { none } from './none.ts';

inspectionSuite('none', async () => ({
  part: await none.create({}, sampleDeps('unused')),
  harmless: sampleCall('read', { path: '/etc/hosts' }),
}));

test('inspection none: whatever comes, nothing is found and nothing computed', async () => {
  const part = await none.create({}, sampleDeps('unused'));
  const inspected = await part.inspect(sampleCall('rm', { path: '/' }), sampleExchange(), 'inward');
  assert.deepEqual(inspected, { findings: [], facts: {}, refuse: undefined });
});
