import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import { ask, exchangeOf, names, only, reasonOf, resultOf, toolList, world } from './scripted.suite.ts';

const list = exchangeOf('tools/list');

test('a cursor is refused: the gateway gave none', async () => {
  const { catalog } = await world({ a: { answer: () => toolList('x') } });
  assert.equal(await reasonOf(catalog, exchangeOf('tools/list', { cursor: '' })), 'cursor_invalid');
});

test('a list that no server offers does not exist', async () => {
  const { catalog } = await world({ a: { capabilities: { tools: {} } }, b: { capabilities: {} } });
  assert.equal(await reasonOf(catalog, exchangeOf('prompts/list')), 'method_unknown');
  assert.equal(await reasonOf(catalog, exchangeOf('prompts/list', {}, { era: 'legacy' })), 'method_unknown_legacy');
});

test('a list of which every server is down is refused, not shown empty', async () => {
  const { catalog } = await world({ a: { down: true }, b: { down: true } });
  assert.equal(await reasonOf(catalog, list), 'upstream_unavailable');
});

test('a rejection of the permission question refuses the list', async () => {
  const permitted = () => Promise.reject(new Error('policy is gone'));
  const { catalog } = await world({ a: { answer: () => toolList('x') } }, { permitted });
  assert.equal(await reasonOf(catalog, list), 'stage_failed');
});

test('what is not permitted is not listed, whoever listed before', async () => {
  const permitted = (exchange: typeof list, _kind: unknown, definitions: readonly { name: string }[]) =>
    definitions.map(({ name }) => exchange.principal.subject === 'alice' || name !== 'secret');
  const { catalog } = await world({ a: { answer: () => toolList('open', 'secret') } }, { permitted });
  assert.deepEqual(names(await resultOf(catalog, list), 'tools'), ['a__open', 'a__secret']);
  assert.deepEqual(names(await resultOf(catalog, exchangeOf('tools/list', {}, { who: 'bob' })), 'tools'), ['a__open']);
});

test('a permission answer that is too short hides the rest', async () => {
  const { catalog } = await world({ a: { answer: () => toolList('x', 'y') } }, { permitted: async () => [true] });
  assert.deepEqual(names(await resultOf(catalog, list), 'tools'), ['a__x']);
});

test('a server that is down costs its own tools only, and the list is soon asked for again', async () => {
  const { catalog } = await world({ a: { down: true }, b: { answer: () => toolList('x') } });
  const result = await resultOf(catalog, list);
  assert.deepEqual(names(result, 'tools'), ['b__x']);
  assert.equal(result['cacheScope'], 'private');
  assert.ok(Number(result['ttlMs']) <= 1_000);
});

test('a server that is slow to start is left out after the patience of the gateway, and there the next time', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const scripts = { a: { start: promise, answer: () => toolList('x') }, b: { answer: () => toolList('y') } };
  const { catalog } = await world(scripts, { limits: { patience: 20 } });
  assert.deepEqual(names(await resultOf(catalog, list), 'tools'), ['b__y']);
  resolve();
  await new Promise(setImmediate);
  assert.deepEqual(names(await resultOf(catalog, list), 'tools'), ['a__x', 'b__y']);
});

test('a cancelled list is answered to nobody', async () => {
  const { catalog } = await world({ a: { answer: () => toolList('x') } });
  let told = false;
  const note = () => void (told = true);
  const outlet = { event: note, ask: note, close: note, fail: note };
  catalog.open(list, outlet, undefined).cancel('agent_cancelled');
  await ask(catalog, list);
  await new Promise(setImmediate);
  assert.equal(told, false);
});

test('only the name changes: big integers, unknown members and their order survive byte for byte', async () => {
  const body = '{ "zz":12345678901234567890, "name" : "read", "x":{"\\u0061":1e2} }';
  const { catalog } = await world({ files: { answer: () => `{"tools":[${body}]}` } });
  const joint = await ask(catalog, list);
  const one = await ask(catalog, exchangeOf('tools/list', {}, { endpoint: only('files') }));
  assert.ok('message' in joint && 'message' in one);
  assert.equal(joint.message.doc.raw(['result', 'tools', 0]), body.replace('"read"', '"files__read"'));
  assert.equal(one.message.doc.raw(['result', 'tools', 0]), body);
});

test('behind one server, members of its result that nobody knows survive; cursor and hints are our own', async () => {
  const answer = () =>
    '{"tools":[],"vendor":{"n":1.0},"_meta":{"k":1},"ttlMs":8000,"cacheScope":"public","resultType":"complete"}';
  const { catalog } = await world({ a: { era: 'modern', answer } });
  const result = await resultOf(catalog, exchangeOf('tools/list', {}, { endpoint: only('a') }));
  assert.deepEqual(result, {
    tools: [],
    vendor: { n: 1 },
    _meta: { k: 1 },
    resultType: 'complete',
    ttlMs: 4_000,
    cacheScope: 'private',
  });
  const joint = await resultOf(catalog, list);
  assert.equal(joint['vendor'], undefined);
});

test('the shortest lifetime counts, and legacy agents get no hints', async () => {
  const modern = (ttlMs: number) => ({ era: 'modern' as const, answer: () => ({ tools: [], ttlMs }) });
  const { catalog } = await world({ a: modern(60_000), b: modern(3_000) });
  assert.equal((await resultOf(catalog, list))['ttlMs'], 1_500);
  assert.deepEqual(await resultOf(catalog, exchangeOf('tools/list', {}, { era: 'legacy' })), { tools: [] });
});

test('servers stand in configured order, tools in the order of their server; URIs are never renamed and stand once', async () => {
  const capabilities = { tools: {}, resources: {} };
  const answer = (method: string) =>
    method === 'resources/list' ? { resources: [{ uri: 'ui://x', name: 'n' }] } : toolList('z', 'a');
  const { catalog } = await world({ second: { capabilities, answer }, first: { capabilities, answer } });
  assert.deepEqual(names(await resultOf(catalog, list), 'tools'), ['second__z', 'second__a', 'first__z', 'first__a']);
  assert.deepEqual(names(await resultOf(catalog, exchangeOf('resources/list')), 'resources', 'uri'), ['ui://x']);
});

test('tools that cannot be mirrored in headers are dropped over modern HTTP only, and the operator is told', async () => {
  const bad = {
    name: 'bad',
    inputSchema: { type: 'object', properties: { a: { type: 'number', 'x-mcp-header': 'A' } } },
  };
  const answer = () => ({ tools: [bad, { name: 'good', inputSchema: { type: 'object' } }], ttlMs: 0 });
  const http = await world({ a: { era: 'modern', answer } });
  assert.deepEqual(names(await resultOf(http.catalog, list), 'tools'), ['a__good']);
  assert.match(http.warnings.join(), /x-mcp-header/);
  const legacy = await world({ a: { era: 'legacy', answer } });
  assert.equal(names(await resultOf(legacy.catalog, list), 'tools').length, 2);
  const transport = { kind: 'stdio', command: 'x', args: [], cwd: undefined, env: {} } as const;
  const stdio = await world({ a: { era: 'modern', answer } }, { settings: () => ({ transport }) });
  assert.equal(names(await resultOf(stdio.catalog, list), 'tools').length, 2);
});

test('of 5,000 tools in 50 pages none is lost, and they are served from memory in less than 20 ms', async () => {
  const tool = (n: number) => ({
    name: `tool_${n}`,
    description: 'x'.repeat(200),
    inputSchema: { type: 'object', properties: { a: { type: 'string' } } },
  });
  const answer = (_method: string, { cursor }: { cursor?: unknown }) => {
    // the empty string is a cursor like any other
    const page = cursor === undefined ? 0 : cursor === '' ? 1 : Number(cursor);
    const tools = Array.from({ length: 100 }, (_, n) => tool(page * 100 + n));
    return page === 49 ? { tools } : { tools, nextCursor: page === 0 ? '' : String(page + 1) };
  };
  const { catalog, upstreams } = await world({ big: { answer } });
  const shown = names(await resultOf(catalog, list), 'tools');
  assert.equal(new Set(shown).size, 5_000);
  assert.equal(shown[4_999], 'big__tool_4999');
  assert.equal(upstreams.count('tools/list'), 50);
  const begun = performance.now();
  await resultOf(catalog, list);
  const took = performance.now() - begun;
  assert.ok(took < 20, `${took} ms`);
  assert.equal(upstreams.count('tools/list'), 50);
});
