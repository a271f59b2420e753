import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalDigest } from '../lib/canonical-json.ts';
import { exchangeOf, MemoryStore, names, resultOf, toolList, world, type Script } from './scripted.suite.ts';

const list = exchangeOf('tools/list');

test('a store that fails is told in the log and in the health, and the list is served all the same', async () => {
  const store = new MemoryStore();
  const { catalog, warnings } = await world({ a: { answer: () => toolList('x') } }, { memory: store });
  store.broken = true;
  assert.deepEqual(names(await resultOf(catalog, list), 'tools'), ['a__x']);
  await catalog.close();
  assert.equal(catalog.health().state, 'degraded');
  assert.match(warnings.join(), /disk full/);
});

test('a store that fails at the start does not stop the start', async () => {
  const store = new MemoryStore();
  store.broken = true;
  const { catalog } = await world({ a: {} }, { memory: store });
  assert.equal(catalog.health().state, 'degraded');
});

test('what a broken store could not take is kept when it works again', async () => {
  const store = new MemoryStore();
  const { catalog } = await world({ a: { answer: () => toolList('x') } }, { memory: store });
  store.broken = true;
  await resultOf(catalog, list);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  store.broken = false;
  await catalog.close();
  assert.equal(catalog.health().state, 'live');
  assert.deepEqual(store.seen.flatMap(({ shown }) => shown.map(({ kind }) => kind)).sort(), ['server', 'tool']);
});

test('every version of a definition is kept with its exact bytes and the digest of its whole declaration', async () => {
  const script: Script = { answer: () => '{"tools":[{ "name":"x", "n":1.0 }]}' };
  const { catalog, store, upstreams } = await world({ a: script });
  await resultOf(catalog, list);
  script.answer = () => '{"tools":[{ "name":"x", "n":2 }]}';
  upstreams.news('a', list, 'notifications/tools/list_changed');
  await resultOf(catalog, list);
  await catalog.close();
  const tools = store.seen.flatMap(({ shown }) => shown).filter(({ kind }) => kind === 'tool');
  assert.deepEqual(
    tools.map(({ body }) => body),
    ['{ "name":"x", "n":1.0 }', '{ "name":"x", "n":2 }'],
  );
  assert.equal(tools[0]?.digest, canonicalDigest({ n: 1, name: 'x' }));
});

test('two declarations that differ in the last digit of a huge integer have two digests', async () => {
  const digests: unknown[] = [];
  for (const digits of ['9007199254740993', '9007199254740992']) {
    const { catalog } = await world({ a: { answer: () => `{"tools":[{"name":"x","max":${digits}}]}` } });
    await resultOf(catalog, list);
    digests.push(catalog.known('a', list, 'tool', 'x')?.digest);
  }
  assert.notEqual(digests[0], digests[1]);
});

test('tools that share a name are kept both, in two batches, because the store takes no ambiguous one', async () => {
  const { catalog, store } = await world({ a: { answer: () => ({ tools: [{ name: 'x' }, { name: 'x', v: 2 }] }) } });
  await resultOf(catalog, list);
  await catalog.close();
  assert.equal(store.seen.filter(({ shown }) => shown[0]?.kind === 'tool').length, 2);
});

test('the inventory tells what servers declared, and when it was seen', async () => {
  const { catalog } = await world({ a: { answer: () => toolList('x') }, b: { down: true } });
  await resultOf(catalog, list);
  await catalog.close();
  const [a, b] = await catalog.inventory('t');
  assert.deepEqual(
    a?.definitions.map(({ kind, name }) => `${kind} ${name}`),
    ['server a', 'tool x'],
  );
  assert.equal(typeof a?.definitions[1]?.firstSeen, 'number');
  assert.deepEqual(b?.definitions, []);
});

test('a list that many sessions see is written once a minute', async () => {
  const script: Script = { answer: () => toolList('x') };
  const { catalog, store, clock } = await world({ a: script }, { settings: () => ({ isolation: 'session' }) });
  const of = (session: string) => exchangeOf('tools/list', {}, { session });
  for (const session of ['s1', 's2', 's3']) await resultOf(catalog, of(session));
  await catalog.close();
  assert.equal(store.seen.length, 2);
  clock.advance(61_000);
  await resultOf(catalog, of('s4'));
  await catalog.close();
  assert.equal(store.seen.length, 4);
});
