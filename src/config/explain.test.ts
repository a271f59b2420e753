import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOX } from '../../test/fixtures/box.ts';
import { explain, explanationText } from './explain.ts';
import type { Explanation } from './explain.ts';
import { checkText } from './load.ts';

const YAML = `mode: observe
url: https://me:hunter2@gateway.example.com
servers:
  git:
    url: "https://git.example.com/mcp"
    headers: { authorization: "Bearer \${env:TOKEN}", x-literal: hunter2-literal }
    credentials: { use: static, token: hunter2-literal }
`;

async function explained(yaml: string): Promise<Explanation> {
  const result = await checkText(yaml, '/etc/sallyport.yaml', BOX, { env: { TOKEN: 'hunter2-token' } });
  assert.ok(result.ok);
  return explain(result);
}

test('no secret is explained, neither a resolved one nor a literal', async () => {
  const explanation = await explained(YAML);
  for (const text of [JSON.stringify(explanation), explanationText(explanation)]) {
    assert.ok(!text.includes('hunter2'));
    assert.ok(text.includes('Bearer ${env:TOKEN}'));
  }
});

test('each value names the place in the file, or the default', async () => {
  const { settings } = await explained(YAML);
  const of = (path: string) => settings.find((setting) => setting.path === path);
  assert.deepEqual(of('mode'), { path: 'mode', value: 'observe', origin: 'sallyport.yaml:1:7' });
  assert.deepEqual(of('servers.git.deadline'), { path: 'servers.git.deadline', value: '60s', origin: 'default' });
  assert.deepEqual(of('hosts'), { path: 'hosts', value: [], origin: 'default' });
});

test('every stage of both crossings is explained with the parts that act in it', async () => {
  const { inward, outward } = await explained(YAML);
  const parts = Object.fromEntries([...inward, ...outward].map((stage) => [stage.stage, stage.parts]));
  assert.deepEqual(parts['authenticate'], ['identity/local']);
  assert.deepEqual(parts['authorize'], ['policy/owner']);
  assert.deepEqual(parts['credential'], ['credentials/static']);
  assert.deepEqual(parts['keep'], ['audit/jsonl']);
  assert.deepEqual(parts['redact'], []);
  assert.equal(parts['resolve'], undefined);
});

test('observe mode marks the stages that it only observes, and no other', async () => {
  const { inward } = await explained(YAML);
  assert.equal(inward.find(({ stage }) => stage === 'authorize')?.observed, true);
  assert.equal(inward.find(({ stage }) => stage === 'authenticate')?.observed, false);
  const enforced = await explained('');
  assert.ok([...enforced.inward, ...enforced.outward].every(({ observed }) => !observed));
});
