import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { COMPONENTS } from '../src/components/components.ts';
import { INWARD, OUTWARD } from '../src/gateway/pipeline.ts';
import { REQUIREMENTS, type Requirement } from './requirements.ts';

const all: readonly Requirement[] = REQUIREMENTS;
const ids = all.map(({ id }) => id);

/** Ids in the first argument of `verifies`, wherever a test stands. */
function cited(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of globSync(['src/**/*.test.ts', 'test/**/*.test.ts'])) {
    for (const [, id] of readFileSync(file, 'utf8').matchAll(/\bverifies\(\s*'([^']+)'/g)) found.set(id!, file);
  }
  return found;
}

test('no test cites a promise that nobody made', () => {
  const ghosts = [...cited()].filter(([id]) => !ids.includes(id));
  assert.deepEqual(ghosts, [], 'a cited id must stand in test/requirements.ts');
});

test('every promise has a test that fails when it is broken', () => {
  const tested = cited();
  assert.deepEqual(
    ids.filter((id) => !tested.has(id)),
    [],
    'a promise without a test is a wish',
  );
});

test('no two promises share an id', () => {
  assert.equal(new Set(ids).size, ids.length);
});

test('every stage of both crossings is there for a promise', () => {
  const stages = [...INWARD.map(({ stage }) => `inward:${stage}`), ...OUTWARD.map(({ stage }) => `outward:${stage}`)];
  const named = all.flatMap(({ stage }) => (stage ? [stage as string] : []));
  assert.deepEqual(
    stages.filter((stage) => !named.includes(stage)),
    [],
  );
  assert.deepEqual(
    named.filter((stage) => !stages.includes(stage)),
    [],
  );
});

test('every part of the box is there for a promise', () => {
  const box = COMPONENTS.map(({ kind, use }) => `${kind}/${use}`);
  const named = all.flatMap(({ component }) => (component ? [component] : []));
  assert.deepEqual(
    box.filter((part) => !named.includes(part)),
    [],
  );
  assert.deepEqual(
    named.filter((part) => !box.includes(part)),
    [],
  );
});
