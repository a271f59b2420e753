import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, exchangeOf, only, reasonOf, resultOf, world, type Script } from './scripted.suite.ts';

const legacy = { era: 'legacy' } as const;
const hop = exchangeOf('initialize', {}, legacy);
const FAR = Date.UTC(2026, 0, 1) + 30_000;
const setLevel = (level: unknown) => exchangeOf('logging/setLevel', { level: level as string }, legacy);

test('an unknown log level is refused', async () => {
  const { catalog } = await world({ a: { capabilities: { logging: {} }, answer: () => ({}) } });
  for (const level of ['loud', 'INFO', 7, null])
    assert.equal(await reasonOf(catalog, setLevel(level)), 'params_invalid');
});

test('tasks of a caller that the gateway does not know as its own are left out', async () => {
  const script: Script = {
    capabilities: { tasks: { list: {} } },
    answer: () => ({ tasks: [{ taskId: 'mine' }, { taskId: 'theirs' }] }),
  };
  const sealTask = (_exchange: unknown, _server: string, task: string) => (task === 'mine' ? 'handle' : undefined);
  const { catalog } = await world({ a: script }, { sealTask });
  await catalog.surface({ kind: 'joint' }, hop, FAR);
  assert.deepEqual(await resultOf(catalog, exchangeOf('tasks/list', {}, legacy)), { tasks: [{ taskId: 'handle' }] });
});

test('a cursor of tasks is refused, and tasks/list does not exist where no server has tasks', async () => {
  const { catalog } = await world({ a: {} });
  assert.equal(await reasonOf(catalog, exchangeOf('tasks/list', { cursor: 'x' }, legacy)), 'cursor_invalid');
  assert.equal(await reasonOf(catalog, exchangeOf('tasks/list', {}, legacy)), 'method_unknown_legacy');
});

test('the log level goes to every legacy server that logs; a server that fails does not spoil it', async () => {
  const logging = { capabilities: { logging: {} } };
  const scripts: Record<string, Script> = {
    a: { ...logging, answer: () => ({}) },
    failing: logging,
    modern: { era: 'modern', ...logging },
    silent: { capabilities: { tools: {} } },
  };
  const { catalog, upstreams } = await world(scripts);
  await catalog.surface({ kind: 'joint' }, hop, FAR);
  assert.deepEqual(await resultOf(catalog, setLevel('warning')), {});
  assert.deepEqual(upstreams.asked, [
    { server: 'a', method: 'logging/setLevel', params: { level: 'warning' } },
    { server: 'failing', method: 'logging/setLevel', params: { level: 'warning' } },
  ]);
});

test('without any server that logs the level is taken all the same', async () => {
  const { catalog } = await world({ a: {} });
  assert.deepEqual(await resultOf(catalog, setLevel('debug')), {});
});

test('tasks of all servers stand in one list, with handles in place of ids and every other byte as it came', async () => {
  const tasks = { capabilities: { tasks: { list: {} } } };
  const a: Script = {
    ...tasks,
    answer: (_method, { cursor }) =>
      cursor === undefined
        ? '{"tasks":[{"n":1.0,"taskId":"t1"}],"nextCursor":""}'
        : '{"tasks":[{"taskId":"t2" ,"x":null}]}',
  };
  const b: Script = { ...tasks, answer: () => ({ tasks: [{ taskId: 't1' }] }) };
  const { catalog } = await world({ a, b, broken: { ...tasks, answer: () => ({ tasks: 7 }) } });
  await catalog.surface({ kind: 'joint' }, hop, FAR);
  const told = await ask(catalog, exchangeOf('tasks/list', {}, legacy));
  assert.ok('message' in told);
  assert.equal(
    told.message.doc.raw(['result', 'tasks']),
    '[{"n":1.0,"taskId":"sealed:a:t1"},{"taskId":"sealed:a:t2" ,"x":null},{"taskId":"sealed:b:t1"}]',
  );
});

test('changed roots are told to the connected legacy servers of the endpoint', async () => {
  const { catalog, upstreams } = await world({ a: {}, b: {}, modern: { era: 'modern' } });
  await catalog.surface({ kind: 'joint' }, hop, FAR);
  const roots = 'notifications/roots/list_changed';
  const told: unknown[] = [];
  const note = (...what: unknown[]): void => void told.push(what);
  const outlet = { event: note, ask: note, close: note, fail: note };
  catalog.open(exchangeOf(roots, {}, { ...legacy, endpoint: only('b') }), outlet, undefined);
  catalog.open(exchangeOf(roots, {}, legacy), outlet, undefined);
  await new Promise(setImmediate);
  assert.deepEqual(told, []);
  assert.deepEqual(
    upstreams.notified.map(({ server }) => server),
    ['b', 'a', 'b'],
  );
});
