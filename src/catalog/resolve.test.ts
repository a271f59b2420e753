import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../gateway/document.ts';
import type { Target } from '../gateway/exchange.ts';
import type { Deny } from '../gateway/verdict.ts';
import { exchangeOf, only, resultOf, toolList, world, type Asking, type Script, type World } from './scripted.suite.ts';

const everything: Script = {
  capabilities: { tools: { listChanged: true }, prompts: { listChanged: true }, resources: { listChanged: true } },
  answer: (method) => {
    switch (method) {
      case 'tools/list':
        return toolList('read', 'weird name');
      case 'prompts/list':
        return { prompts: [{ name: 'greet' }] };
      case 'resources/list':
        return { resources: [{ uri: 'test://one', name: 'one' }] };
      default:
        return { resourceTemplates: [{ uriTemplate: 'test://items/{id}', name: 'item' }] };
    }
  },
};

async function resolved({ catalog }: World, method: string, params: Json, asking: Asking = {}): Promise<Target | Deny> {
  return catalog.resolve(exchangeOf(method, params, asking));
}

function reason(found: Target | Deny): string {
  return 'effect' in found ? found.reason : `found ${found.of}`;
}

/** `server kind name`, with the definition's own name when it is another. */
function meant(found: Target | Deny): string {
  if ('effect' in found || found.of !== 'definition') return reason(found);
  const { server, kind, name, definition } = found;
  return `${server} ${kind} ${name}${definition === undefined ? ' unlisted' : definition.name === name ? '' : ` by ${definition.name}`}`;
}

test('names are compared exactly: no trimming, no folding, no prefix of another endpoint', async () => {
  const there = await world({ files: everything });
  for (const name of [
    'files__read ',
    ' files__read',
    'Files__read',
    'files__READ',
    'read',
    'files_read',
    'files__',
    '',
  ]) {
    assert.equal(reason(await resolved(there, 'tools/call', { name })), 'tool_unknown', name);
  }
  assert.equal(
    reason(await resolved(there, 'tools/call', { name: 'files__read' }, { endpoint: only('files') })),
    'tool_unknown',
  );
});

test('a name, uri or reference of the wrong type is refused', async () => {
  const there = await world({ files: everything });
  for (const [method, params] of [
    ['tools/call', { name: 7 }],
    ['tools/call', null],
    ['prompts/get', {}],
    ['resources/read', { uri: ['test://one'] }],
    ['completion/complete', { ref: { type: 'ref/other', uri: 'test://one' } }],
    ['completion/complete', { ref: 'x' }],
    ['tasks/get', { taskId: 1 }],
  ] as const) {
    assert.equal(reason(await resolved(there, method, params as Json)), 'params_invalid', method);
  }
});

test('what does not exist is unknown, each kind in its own words', async () => {
  const there = await world({ a: everything, b: everything });
  assert.equal(reason(await resolved(there, 'tools/call', { name: 'a__none' })), 'tool_unknown');
  assert.equal(
    reason(await resolved(there, 'tools/call', { name: 'toString' }, { endpoint: only('a') })),
    'tool_unknown',
  );
  assert.equal(reason(await resolved(there, 'prompts/get', { name: 'a__none' })), 'prompt_unknown');
  const missing = await resolved(there, 'resources/read', { uri: 'test://none' });
  assert.ok('effect' in missing);
  assert.equal(missing.reason, 'resource_unknown');
  assert.deepEqual(missing.data, { uri: 'test://none' });
  assert.equal(
    reason(await resolved(there, 'completion/complete', { ref: { type: 'ref/prompt', name: 'a__none' } })),
    'reference_unknown',
  );
  assert.equal(
    reason(await resolved(there, 'completion/complete', { ref: { type: 'ref/resource', uri: 'test://items/1' } })),
    'reference_unknown',
  );
  assert.equal(reason(await resolved(there, 'tasks/get', { taskId: 'none' })), 'task_unknown');
  assert.equal(
    reason(await resolved(there, 'tools/call', { name: 'x' }, { endpoint: only('none') })),
    'server_unknown',
  );
});

test('what is hidden is unknown, in the very same words, and cannot be had as an unlisted resource', async () => {
  const there = await world(
    { a: everything },
    { permitted: async (_exchange, _kind, definitions) => definitions.map(() => false) },
  );
  for (const [method, params] of [
    ['tools/call', { name: 'read' }],
    ['prompts/get', { name: 'greet' }],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'greet' } }],
    ['completion/complete', { ref: { type: 'ref/resource', uri: 'test://items/{id}' } }],
  ] as const) {
    const unknown = JSON.stringify(params).replaceAll(/greet|read|items/g, 'none');
    const asking = { endpoint: only('a') };
    assert.deepEqual(
      await resolved(there, method, params, asking),
      await resolved(there, method, JSON.parse(unknown) as Json, asking),
    );
  }
  for (const uri of ['test://one', 'test://items/7']) {
    assert.equal(reason(await resolved(there, 'resources/read', { uri }, { endpoint: only('a') })), 'resource_unknown');
  }
});

test('a server that is down is another answer than unknown, and only where it could have been meant', async () => {
  const there = await world({ a: { down: true }, b: everything });
  const down = await resolved(there, 'tools/call', { name: 'a__read' });
  assert.ok('effect' in down);
  assert.equal(down.reason, 'upstream_unavailable');
  assert.match(down.detail ?? '', /^a: .*connection refused/);
  assert.equal(reason(await resolved(there, 'tools/call', { name: 'b__none' })), 'tool_unknown');
  assert.equal(meant(await resolved(there, 'resources/read', { uri: 'test://one' })), 'b resource test://one');
});

test('a task of a server behind another endpoint is unknown', async () => {
  const openTask = (_exchange: unknown, handle: string) => (handle === 'h' ? { server: 'a', task: 't9' } : undefined);
  const there = await world({ a: everything, b: everything }, { openTask });
  assert.equal(reason(await resolved(there, 'tasks/get', { taskId: 'h' }, { endpoint: only('b') })), 'task_unknown');
  assert.deepEqual(await resolved(there, 'tasks/get', { taskId: 'h' }), { of: 'task', server: 'a', task: 't9' });
});

test('the joint endpoint finds tools and prompts by their exposed names, and URIs by themselves', async () => {
  const there = await world({ a: everything, b: everything });
  assert.equal(meant(await resolved(there, 'tools/call', { name: 'b__read' })), 'b tool read');
  const exposed = there.catalog.exposed({ kind: 'joint' }, 'b', 'tool', 'weird name');
  assert.match(exposed, /^b__weird_name_[0-9a-v]{10}$/);
  assert.equal(meant(await resolved(there, 'tools/call', { name: exposed })), 'b tool weird name');
  assert.equal(meant(await resolved(there, 'prompts/get', { name: 'a__greet' })), 'a prompt greet');
  assert.equal(meant(await resolved(there, 'resources/read', { uri: 'test://one' })), 'a resource test://one');
  assert.equal(meant(await resolved(there, 'resources/subscribe', { uri: 'test://one' })), 'a resource test://one');
  assert.equal(
    meant(await resolved(there, 'resources/read', { uri: 'test://items/7' })),
    'a resource test://items/7 by test://items/{id}',
  );
  assert.equal(
    meant(await resolved(there, 'completion/complete', { ref: { type: 'ref/prompt', name: 'b__greet' } })),
    'b prompt greet',
  );
  assert.equal(
    meant(await resolved(there, 'completion/complete', { ref: { type: 'ref/resource', uri: 'test://items/{id}' } })),
    'a template test://items/{id}',
  );
});

test('an exact URI of any server comes before a template that matches it', async () => {
  const greedy: Script = {
    capabilities: { resources: {} },
    answer: (method) =>
      method === 'resources/list' ? { resources: [] } : { resourceTemplates: [{ uriTemplate: '{+all}', name: 'all' }] },
  };
  const there = await world({ greedy, b: everything });
  assert.equal(meant(await resolved(there, 'resources/read', { uri: 'test://one' })), 'b resource test://one');
});

test('behind one server unlisted resources may be read, if it has resources at all', async () => {
  const there = await world({ a: everything, b: { capabilities: {} } });
  assert.equal(
    meant(await resolved(there, 'resources/read', { uri: 'x://y' }, { endpoint: only('a') })),
    'a resource x://y unlisted',
  );
  assert.equal(
    reason(await resolved(there, 'resources/read', { uri: 'x://y' }, { endpoint: only('b') })),
    'resource_unknown',
  );
});

test('what is known is resolved without waiting and without asking the server', async () => {
  const there = await world({ a: everything });
  await resultOf(there.catalog, exchangeOf('tools/list'));
  const asked = there.upstreams.asked.length;
  there.clock.advance(3_600_000);
  const found = there.catalog.resolve(exchangeOf('tools/call', { name: 'a__read' }));
  assert.ok(!(found instanceof Promise));
  assert.equal(meant(found), 'a tool read');
  assert.equal(there.upstreams.asked.length, asked);
});

test('after news a call means the new definition', async () => {
  const script: Script = { answer: () => ({ tools: [{ name: 'x', description: 'old' }] }) };
  const there = await world({ a: script });
  const call = exchangeOf('tools/call', { name: 'a__x' });
  const before = await there.catalog.resolve(call);
  script.answer = () => ({ tools: [{ name: 'x', description: 'new' }] });
  there.upstreams.news('a', call, 'notifications/tools/list_changed');
  const now = await there.catalog.resolve(call);
  assert.ok('of' in before && before.of === 'definition' && 'of' in now && now.of === 'definition');
  assert.notEqual(before.definition?.digest, now.definition?.digest);
});

test('a server that does not tell of changes is asked once more for an unknown name, and not at every try', async () => {
  const script: Script = { capabilities: { tools: {} }, answer: () => toolList('x') };
  const there = await world({ a: script });
  assert.equal(meant(await resolved(there, 'tools/call', { name: 'a__x' })), 'a tool x');
  script.answer = () => toolList('x', 'late');
  assert.equal(reason(await resolved(there, 'tools/call', { name: 'a__late' })), 'tool_unknown');
  there.clock.advance(4_000);
  assert.equal(meant(await resolved(there, 'tools/call', { name: 'a__late' })), 'a tool late');
  for (let i = 0; i < 5; i++)
    assert.equal(reason(await resolved(there, 'tools/call', { name: `a__no${i}` })), 'tool_unknown');
  assert.equal(there.upstreams.count('tools/list'), 2);
});

test('only servers that can be meant by a name are asked', async () => {
  const there = await world({ a: everything, b: everything });
  await resolved(there, 'tools/call', { name: 'b__read' });
  assert.deepEqual(
    there.upstreams.asked.map(({ server }) => server),
    ['b'],
  );
});
