import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchangeOf, names, only, reasonOf, resultOf, toolList, world, type Script } from './scripted.suite.ts';

const list = exchangeOf('tools/list');
const CHANGED = 'notifications/tools/list_changed';

test('a cursor that comes again ends the list with a clear error', async () => {
  const { catalog, warnings } = await world({ a: { answer: () => ({ tools: [], nextCursor: 'again' }) } });
  assert.equal(await reasonOf(catalog, list), 'upstream_unavailable');
  assert.match(warnings.join(), /a cursor came twice/);
});

test('more pages or definitions than are allowed end the list with a clear error', async () => {
  let page = 0;
  const answer = () => ({ tools: [{ name: `t${page}` }, { name: `u${page}` }], nextCursor: String(page++) });
  const pages = await world({ a: { answer } }, { limits: { pages: 5 } });
  assert.equal(await reasonOf(pages.catalog, list), 'upstream_unavailable');
  assert.match(pages.warnings.join(), /more than 5 pages/);
  const items = await world({ a: { answer } }, { limits: { items: 7 } });
  assert.equal(await reasonOf(items.catalog, list), 'upstream_unavailable');
  assert.match(items.warnings.join(), /more than 7 definitions/);
});

test('an answer that is no list, or a cursor that is no string, is garbage', async () => {
  for (const answer of [{ tools: 'none' }, { tools: [], nextCursor: 7 }]) {
    const { catalog, warnings } = await world({ a: { answer: () => answer } });
    assert.equal(await reasonOf(catalog, list), 'upstream_unavailable');
    assert.match(warnings.join(), /upstream_garbage/);
  }
});

test('declarations without a usable name, or with that of another, are left out with a warning', async () => {
  const first = { name: 'same', description: 'first' };
  const tools = [
    null,
    {},
    { name: 7 },
    { name: '' },
    { name: 'a\u0000b' },
    { name: 'x'.repeat(3_000) },
    first,
    { name: 'same' },
  ];
  const { catalog, warnings } = await world({ a: { answer: () => ({ tools }) } });
  const result = await resultOf(catalog, exchangeOf('tools/list', {}, { endpoint: only('a') }));
  assert.deepEqual(result['tools'], [first]);
  assert.ok(warnings.length >= 3);
});

test('a method that the server does not know costs that list only', async () => {
  const answer = (method: string) =>
    method === 'resources/list' ? { resources: [{ uri: 'a://1', name: 'n' }] } : undefined;
  const script: Script = { capabilities: { resources: {} }, answer: answer as NonNullable<Script['answer']> };
  const { catalog } = await world({ a: script });
  assert.deepEqual((await resultOf(catalog, exchangeOf('resources/templates/list')))['resourceTemplates'], []);
  assert.equal(names(await resultOf(catalog, exchangeOf('resources/list')), 'resources').length, 1);
});

test('a server is not asked for what it does not offer', async () => {
  const { catalog, upstreams } = await world({ a: { capabilities: {} }, b: { answer: () => toolList('x') } });
  await resultOf(catalog, list);
  assert.deepEqual(
    upstreams.asked.map(({ server }) => server),
    ['b'],
  );
});

test('when a reload fails the last good list is shown, for a short time', async () => {
  const script: Script = { answer: () => toolList('x') };
  const { catalog, upstreams } = await world({ a: script });
  await resultOf(catalog, list);
  script.answer = () => ({ tools: 'broken' });
  upstreams.news('a', list, CHANGED);
  const result = await resultOf(catalog, list);
  assert.deepEqual(names(result, 'tools'), ['a__x']);
  assert.ok(Number(result['ttlMs']) <= 1_000);
});

test('after news nobody is shown the old list, even if it was being read when the news came', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let now = 'old';
  const script: Script = {
    answer: async () => {
      const shown = now;
      if (shown === 'old') await promise;
      return toolList(shown);
    },
  };
  const { catalog, upstreams } = await world({ a: script });
  const before = resultOf(catalog, list);
  while (upstreams.asked.length === 0) await new Promise(setImmediate);
  now = 'new';
  upstreams.news('a', list, CHANGED);
  const later = [resultOf(catalog, list), resultOf(catalog, list)];
  resolve();
  await before;
  for (const result of await Promise.all(later)) assert.deepEqual(names(result, 'tools'), ['a__new']);
  assert.equal(upstreams.count('tools/list'), 2);
});

test('a new connection makes every list untrue', async () => {
  const script: Script = { capabilities: { tools: { listChanged: true }, prompts: { listChanged: true } } };
  script.answer = (method) => (method === 'prompts/list' ? { prompts: [] } : toolList('x'));
  const { catalog, upstreams } = await world({ a: script });
  await resultOf(catalog, list);
  await resultOf(catalog, exchangeOf('prompts/list'));
  upstreams.reconnect();
  upstreams.news('a', list, CHANGED);
  await resultOf(catalog, list);
  await resultOf(catalog, exchangeOf('prompts/list'));
  assert.equal(upstreams.count('prompts/list'), 2);
});

test('lists are kept as long as the server allows, and no longer', async () => {
  const silent = { capabilities: { tools: {} }, answer: () => toolList('x') };
  const modern = { era: 'modern' as const, answer: () => ({ tools: [], ttlMs: 20_000 }) };
  const never = { era: 'modern' as const, answer: () => ({ tools: [] }) };
  const { catalog, upstreams, clock } = await world({ silent, modern, never });
  const counts = () =>
    ['silent', 'modern', 'never'].map((one) => upstreams.asked.filter(({ server }) => server === one).length);
  await resultOf(catalog, list);
  await resultOf(catalog, list);
  assert.deepEqual(counts(), [1, 1, 2]);
  clock.advance(6_000);
  await resultOf(catalog, list);
  assert.deepEqual(counts(), [2, 1, 3]);
  clock.advance(6_000);
  await resultOf(catalog, list);
  assert.deepEqual(counts(), [3, 2, 4]);
});

test('principals share a view only where the server is declared shared', async () => {
  const script: Script = { answer: (_method, _params, hop) => toolList(hop.principal.subject) };
  const bob = exchangeOf('tools/list', {}, { who: 'bob' });
  const apart = await world({ a: script }, { settings: () => ({ isolation: 'principal' }) });
  assert.deepEqual(names(await resultOf(apart.catalog, list), 'tools'), ['a__alice']);
  assert.deepEqual(names(await resultOf(apart.catalog, bob), 'tools'), ['a__bob']);
  const shared = await world({ a: script });
  await resultOf(shared.catalog, list);
  await resultOf(shared.catalog, bob);
  assert.equal(shared.upstreams.count('tools/list'), 1);
});

test('views end with their session, and the least recently used when there are too many', async () => {
  const script: Script = { answer: () => toolList('x') };
  const of = (session: string) => exchangeOf('tools/list', {}, { session });
  const { catalog, upstreams } = await world(
    { a: script },
    { settings: () => ({ isolation: 'session' }), limits: { views: 2 } },
  );
  await resultOf(catalog, of('s1'));
  catalog.forget({ session: 's1' });
  assert.equal(catalog.known('a', of('s1'), 'tool', 'x'), undefined);
  for (const session of ['s1', 's2', 's3']) await resultOf(catalog, of(session));
  assert.equal(catalog.known('a', of('s1'), 'tool', 'x'), undefined);
  assert.equal(catalog.known('a', of('s3'), 'tool', 'x')?.name, 'x');
  catalog.forget({ principal: of('s3').principal.key });
  assert.equal(catalog.known('a', of('s3'), 'tool', 'x'), undefined);
  assert.equal(upstreams.count('tools/list'), 4);
});

test('after a reload changed servers are looked at anew, and removed ones are gone', async () => {
  const script: Script = { answer: () => toolList('x') };
  const { catalog } = await world({ a: script, b: script });
  await resultOf(catalog, list);
  catalog.reload([]);
  assert.equal(catalog.servers(only('a')), undefined);
  assert.equal(catalog.known('a', list, 'tool', 'x'), undefined);
  assert.deepEqual(catalog.servers({ kind: 'joint' }), []);
});
