import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchangeOf, JOINT, MemoryStore, only, resultOf, world, type Script } from './scripted.suite.ts';

const discover = exchangeOf('server/discover');
const hop = exchangeOf('initialize', {}, { era: 'legacy' });
const FAR = Date.UTC(2026, 0, 1) + 30_000;

test('discover waits for no server: one that never starts is told of as if it had every list', async () => {
  const never = new Promise<void>(() => undefined);
  const { catalog } = await world({ a: { start: never } });
  const result = await resultOf(catalog, discover);
  assert.deepEqual(Object.keys(result['capabilities'] ?? {}), ['tools', 'prompts', 'resources', 'completions']);
  assert.equal(result['ttlMs'], 0);
  assert.equal(result['cacheScope'], 'private');
  assert.deepEqual(result['supportedVersions'], ['2026-07-28', '2025-11-25']);
});

test('extensions that the gateway does not keep end to end are not promised, nor tasks of another era', async () => {
  const extensions = {
    'io.modelcontextprotocol/ui': { mimeTypes: ['x'] },
    'io.modelcontextprotocol/tasks': {},
    'com.example/x': {},
  };
  const capabilities = { tools: {}, extensions, tasks: { list: {} }, experimental: { y: {} } };
  const { catalog } = await world({ modern: { era: 'modern', capabilities } });
  const { capabilities: legacy } = await catalog.surface(JOINT, hop, FAR);
  assert.deepEqual(legacy, { tools: {}, extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: ['x'] } } });
  const modern = (await resultOf(catalog, discover))['capabilities'];
  assert.deepEqual(modern, {
    tools: {},
    extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: ['x'] }, 'io.modelcontextprotocol/tasks': {} },
  });
});

test('what somebody else was told by a server of its own is not told to another principal', async () => {
  const script: Script = { instructions: 'for alice only' };
  const { catalog } = await world({ a: script }, { settings: () => ({ isolation: 'principal' }) });
  await catalog.surface(JOINT, hop, FAR);
  assert.equal((await resultOf(catalog, discover))['instructions'], '## a\n\nfor alice only');
  const bob = await resultOf(catalog, exchangeOf('server/discover', {}, { who: 'bob' }));
  assert.equal(bob['instructions'], undefined);
});

test('discover begins to read the lists, so that the next question finds them', async () => {
  const { catalog, upstreams } = await world({ a: { answer: () => ({ tools: [] }) } });
  await resultOf(catalog, discover);
  while (upstreams.asked.length === 0) await new Promise(setImmediate);
  assert.equal((await resultOf(catalog, discover))['ttlMs'], 5_000);
});

test('what was known before a restart is told after it, before any server started', async () => {
  const store = new MemoryStore();
  const script: Script = {
    capabilities: { prompts: {} },
    instructions: 'hello',
    serverInfo: { name: 'A', version: '1' },
  };
  const before = await world({ a: script }, { memory: store });
  await before.catalog.surface(JOINT, hop, FAR);
  await before.catalog.close();
  const after = await world({ a: { start: new Promise(() => undefined) } }, { memory: store });
  const result = await resultOf(after.catalog, exchangeOf('server/discover', {}, { endpoint: only('a') }));
  assert.deepEqual(result['capabilities'], { prompts: {} });
  assert.equal(result['instructions'], 'hello');
  assert.deepEqual(result['_meta'], { 'io.modelcontextprotocol/serverInfo': { name: 'A', version: '1' } });
});

test('initialize waits for servers, at most up to its deadline, and goes on without those that fail', async () => {
  const scripts = {
    slow: { start: new Promise<void>(() => undefined) },
    down: { down: true },
    up: { instructions: 'hi' },
  };
  const { catalog, clock } = await world(scripts);
  const surface = await catalog.surface(JOINT, hop, clock.now() + 20);
  assert.equal(surface.instructions, '## up\n\nhi');
  assert.deepEqual(surface.serverInfo, { name: 'sallyport', version: '9.9.9' });
});

test('the joint endpoint has the union of capabilities, and instructions under a heading for each server', async () => {
  const a: Script = { capabilities: { tools: {}, resources: { subscribe: true }, logging: {} }, instructions: 'A.' };
  const b: Script = {
    capabilities: {
      tools: { listChanged: true },
      resources: {},
      tasks: { list: {}, requests: { tools: { call: {} } } },
    },
    instructions: 'B.',
  };
  const { catalog } = await world({ a, b });
  const surface = await catalog.surface(JOINT, hop, FAR);
  assert.deepEqual(surface.capabilities, {
    tools: { listChanged: true },
    resources: { subscribe: true },
    logging: {},
    tasks: { list: {}, requests: { tools: { call: {} } } },
  });
  assert.equal(surface.instructions, '## a\n\nA.\n\n## b\n\nB.');
});

test('one server keeps its own capabilities, unknown ones too, its name and its instructions', async () => {
  const script: Script = {
    capabilities: { tools: { x: 1 }, vendor: { y: 2 } },
    serverInfo: { name: 'A', version: '1', z: 3 },
    instructions: 'A.',
  };
  const { catalog } = await world({ a: script, b: {} });
  assert.deepEqual(await catalog.surface(only('a'), hop, FAR), {
    capabilities: script.capabilities,
    serverInfo: script.serverInfo,
    instructions: 'A.',
  });
});
