import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspectionSuite } from '../../src/components/inspection/inspection.suite.ts';
import { policySuite } from '../../src/components/policy/policy.suite.ts';
import {
  sampleCall,
  sampleDeps,
  sampleExchange,
  samplePrincipal,
  sampleQuestion,
  sampleResult,
} from '../../src/components/samples.ts';
import { offerOwnModules } from '../../src/config/own-modules.ts';

// As the gateway does before it loads such a file.
offerOwnModules();
const { component: myPolicy } = await import('./my-policy.ts');
const { component: myInspection } = await import('./my-inspection.ts');

const ada = samplePrincipal('ada', { groups: ['owner'] });
const policy = async (tools: Record<string, string[]>) =>
  myPolicy.create({ group: 'owner', tools }, sampleDeps('unused'));
const inspection = async () => myInspection.create({ domains: ['corp.example'] }, sampleDeps('unused'));

policySuite('my-policy', async () => ({
  part: await policy({ files: ['read'] }),
  permitted: sampleQuestion({ principal: ada }),
  refused: sampleQuestion({ principal: ada, resource: { ...sampleQuestion().resource, name: 'write' } }),
}));

inspectionSuite('my-inspection', async () => ({
  part: await inspection(),
  harmless: sampleCall('fetch', { url: 'https://www.example.com/corp.example' }),
  harmful: {
    message: sampleCall('fetch', { url: 'https://db1.corp.example/' }),
    direction: 'inward',
    holds: 'db1.corp.example',
  },
}));

test('my-policy: a tool that only another server lists under that name is forbidden', async () => {
  const listings: Record<string, string[]>[] = [{ mail: ['read'] }, { constructor: ['read'] }, {}];
  for (const tools of listings) {
    const decision = await (await policy(tools)).decide(sampleQuestion({ principal: ada }));
    assert.deepEqual(decision, { effect: 'forbid', rules: ['only listed tools'] });
  }
});

test('my-inspection: a name in an answer is noted where it stands, and not refused', async () => {
  const answer = sampleResult({ content: [{ type: 'text', text: 'See DB1.Corp.Example, please.' }] });
  const { findings, refuse } = await (await inspection()).inspect(answer, sampleExchange(), 'outward');
  assert.equal(refuse, undefined);
  assert.deepEqual(
    findings.map(({ path }) => path),
    ['/result/content/0/text'],
  );
});
