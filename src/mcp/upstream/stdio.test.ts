import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  Remembering,
  call,
  doc,
  exchange,
  hop,
  keptLog,
  principal,
  resultOf,
  soon,
  stdio,
  upstreamsOf,
} from '../../../test/fixtures/upstream/kit.ts';
import type { Grant, Log, ServerSettings, Upstreams } from '../../gateway/ports.ts';

const SCRIPT = fileURLToPath(new URL('../../../test/fixtures/upstream/scripted-stdio.ts', import.meta.url));
const SECRET = 'tell-nobody-5309';
const grant: Grant = { id: 'g', headers: [], env: { SECRET }, secrets: [SECRET] };

function open(t: TestContext, habits: string[], more: Partial<ServerSettings> = {}, log?: Log): Upstreams {
  const upstreams = upstreamsOf(
    [stdio('s', [SCRIPT, ...habits], more)],
    log === undefined ? { grant } : { log, grant },
  );
  t.after(() => upstreams.close());
  return upstreams;
}

async function used(upstreams: Upstreams, tool: string, args = {}, more = {}): Promise<Record<string, unknown>> {
  const outlet = new Remembering();
  upstreams.open(call('s', tool, args, more), outlet, grant);
  return (await outlet.result())['structuredContent'] as Record<string, unknown>;
}

async function about(upstreams: Upstreams): Promise<Record<string, unknown>> {
  return resultOf((await upstreams.request('s', hop, 'tools/list', {}, soon())).value);
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a server that cannot start is unavailable, and the detail has its exit code and last words without the secret', async (t) => {
  const upstreams = open(t, ['broken'], { era: 'legacy' });
  const outlet = new Remembering();
  upstreams.open(call('s', 'echo'), outlet, grant);
  const failure = await outlet.failed.promise;
  assert.match(failure, /^upstream_unavailable: .*exit code 3.*cannot read the secret \[secret\]/);
  assert.equal(upstreams.status()[0]?.state, 'failing');
});

test('a command that does not exist is unavailable', async (t) => {
  const transport = { kind: 'stdio', command: '/nowhere/at-all', args: [], cwd: undefined, env: {} } as const;
  const upstreams = open(t, [], { transport });
  await assert.rejects(upstreams.surface('s', hop, soon()), /cannot be started.*ENOENT/);
});

test('a crash loses the open call with the reason, and the next call finds a new process', async (t) => {
  const log = keptLog();
  const upstreams = open(t, [], {}, log);
  const before = await about(upstreams);
  const outlet = new Remembering();
  upstreams.open(call('s', 'crash'), outlet, grant);
  assert.match(await outlet.failed.promise, /^upstream_lost: .*exit code 7.*crashing on purpose \[secret\]/);
  const after = await about(upstreams);
  assert.notEqual(after['pid'], before['pid']);
  assert.equal(upstreams.status()[0]?.restarts, 1);
  assert.ok(!log.lines.join('\n').includes(SECRET), 'no log line has the secret');
});

test('unreadable bytes fail the only open call as garbage, and the connection goes on', async (t) => {
  const upstreams = open(t, []);
  const outlet = new Remembering();
  upstreams.open(call('s', 'garbage'), outlet, grant);
  assert.match(await outlet.failed.promise, /^upstream_garbage: /);
  assert.deepEqual(await used(upstreams, 'twice'), { nth: 1 });
});

test('an answer over the limit fails its call, and the connection goes on', async (t) => {
  const upstreams = open(t, []);
  const outlet = new Remembering();
  upstreams.open(call('s', 'huge', { size: 2_000_000 }), outlet, grant);
  assert.match(await outlet.failed.promise, /^upstream_too_large: /);
  assert.deepEqual(await used(upstreams, 'twice'), { nth: 1 });
});

test('a second answer to one call reaches nobody', async (t) => {
  const upstreams = open(t, []);
  const outlet = new Remembering();
  upstreams.open(call('s', 'twice'), outlet, grant);
  await outlet.result();
  await about(upstreams);
  assert.equal(outlet.ends, 1);
});

test('a cancelled call is cancelled at the server too, tells nothing more, and leaves its neighbours alone', async (t) => {
  const upstreams = open(t, []);
  const { pid } = await about(upstreams);
  const outlet = new Remembering();
  const flight = upstreams.open(call('s', 'hang'), outlet, grant);
  flight.cancel('agent_cancelled');
  const after = await about(upstreams);
  assert.equal(after['pid'], pid);
  assert.equal((after['cancelled'] as unknown[]).length, 1);
  assert.equal(outlet.ends, 0);
  assert.equal(upstreams.status()[0]?.inFlight, 0);
});

test('the environment of the process is what was declared and granted, and nothing else of ours', async (t) => {
  process.env['SALLYPORT_OWN_SECRET'] = 'ours';
  t.after(() => delete process.env['SALLYPORT_OWN_SECRET']);
  const upstreams = open(t, []);
  const env = await used(upstreams, 'env');
  assert.equal(env['SALLYPORT_OWN_SECRET'], undefined);
  assert.equal(env['SECRET'], SECRET);
  assert.equal(env['PATH'], process.env['PATH']);
});

for (const habit of ['exits', 'ignores', 'noisy']) {
  test(`a legacy server that ${habit} at a modern first message is reached all the same`, async (t) => {
    const upstreams = open(t, [habit], { deadline: 4000 });
    const surface = await upstreams.surface('s', hop, soon());
    assert.equal(surface.era, 'legacy');
    assert.equal(surface.version, '2025-11-25');
    assert.equal(upstreams.status()[0]?.era, 'legacy');
    assert.deepEqual((surface.serverInfo!['seen'] as Record<string, unknown>)['clientInfo'], hop.clientInfo);
  });
}

test('close ends a process that listens to neither its input nor SIGTERM, and its children', async (t) => {
  const upstreams = open(t, ['stubborn', 'child']);
  const { pid, child } = await about(upstreams);
  await upstreams.close();
  assert.ok(!alive(Number(pid)));
  assert.ok(!alive(Number(child)));
});

test('close does not wait for a server that says nothing, and who waits for it is told', async (t) => {
  const upstreams = open(t, ['silent'], { deadline: 60_000 });
  const outlet = new Remembering();
  upstreams.open(call('s', 'echo'), outlet, grant);
  const surface = assert.rejects(upstreams.surface('s', hop, soon(60_000)), { reason: 'upstream_unavailable' });
  await upstreams.close();
  assert.match(await outlet.failed.promise, /^upstream_unavailable/);
  await surface;
});

test('a process that nobody uses is ended, and started again when somebody does', async (t) => {
  const upstreams = open(t, [], { idle: 50 });
  const before = await about(upstreams);
  while (upstreams.status()[0]?.state !== 'idle' || alive(Number(before['pid'])))
    await once(AbortSignal.timeout(20), 'abort');
  const after = await about(upstreams);
  assert.notEqual(after['pid'], before['pid']);
});

test('principals have processes of their own where isolation says so, and forgetting one ends only its own', async (t) => {
  const upstreams = open(t, [], { isolation: 'principal' });
  const bob = { ...hop, principal: principal('bob') };
  const [ofAlice, ofBob] = await Promise.all(
    [hop, bob].map(async (who) => resultOf((await upstreams.request('s', who, 'tools/list', {}, soon())).value)['pid']),
  );
  assert.notEqual(ofAlice, ofBob);
  assert.notEqual(upstreams.key('s', hop), upstreams.key('s', bob));
  upstreams.forget({ principal: 'alice' });
  const still = resultOf((await upstreams.request('s', bob, 'tools/list', {}, soon())).value)['pid'];
  assert.equal(still, ofBob);
  assert.notEqual((await about(upstreams))['pid'], ofAlice);
});

test('fifty callers at once start one process', async (t) => {
  const upstreams = open(t, []);
  const answers = await Promise.all(Array.from({ length: 50 }, () => about(upstreams)));
  assert.equal(new Set(answers.map(({ pid }) => pid)).size, 1);
});

test('an ask reaches the only open call, and its answer reaches the server under the server’s own id', async (t) => {
  const upstreams = open(t, []);
  const outlet = new Remembering();
  upstreams.open(call('s', 'ask'), outlet, grant);
  const { message, answered } = await outlet.asked();
  assert.equal(message.method, 'roots/list');
  answered({
    kind: 'closing',
    method: 'roots/list',
    doc: doc('{"jsonrpc":"2.0","id":0,"result":{"roots":[]}}'),
    payload: 'result',
  });
  const content = (await outlet.result())['structuredContent'] as { answer: unknown };
  assert.deepEqual(content.answer, { jsonrpc: '2.0', id: 'q1', result: { roots: [] } });
});

test('an ask is refused when two calls are open, because it could be about either', async (t) => {
  const upstreams = open(t, []);
  const waiting = new Remembering();
  const flight = upstreams.open(call('s', 'hang'), waiting, grant);
  const answer = (await used(upstreams, 'ask')) as { answer: { error: { code: number } } };
  assert.equal(answer.answer.error.code, -32601);
  assert.equal(waiting.asks.length, 0);
  flight.cancel('agent_gone');
});

test('progress comes back with the agent’s own token, and the server never sees that token', async (t) => {
  const upstreams = open(t, []);
  const outlet = new Remembering();
  upstreams.open(call('s', 'progress', {}, { progressToken: '"agent-7"' }), outlet, grant);
  const seen = (await outlet.result())['structuredContent'] as { token: unknown };
  assert.equal(typeof seen.token, 'number');
  assert.deepEqual(
    outlet.events.map(({ doc }) => doc.raw(['params', 'progressToken'])),
    ['"agent-7"', '"agent-7"'],
  );
});

test('keys of the caller’s hop stay behind, keys of vendors and traces go on', async (t) => {
  const upstreams = open(t, []);
  const outlet = new Remembering();
  const params = `{"name":"shown","arguments":{"n":12345678901234567890},"_meta":{"io.modelcontextprotocol/clientCapabilities":{},"progressToken":1,"traceparent":"00-1","com.acme/x":1}}`;
  const target = { of: 'definition', server: 's', kind: 'tool', name: 'echo', definition: undefined } as const;
  upstreams.open(exchange({ server: 's', params, target }), outlet, grant);
  const { doc } = await outlet.closed.promise;
  assert.equal(doc.raw(['result', 'structuredContent', 'params', '_meta']), '{"traceparent":"00-1","com.acme/x":1}');
});

test('news reach the catalog first, then every listener that wants them', async (t) => {
  const upstreams = open(t, []);
  const order: string[] = [];
  upstreams.onNews((server, key, method) => order.push(`${server} ${key === upstreams.key('s', hop)} ${method}`));
  const outlet = new Remembering();
  const filter = {
    toolsListChanged: true,
    promptsListChanged: true,
    resourcesListChanged: false,
    resourceSubscriptions: ['a://b'],
    taskIds: [],
  };
  const attachment = upstreams.attach('s', exchange({ server: 's', method: 'subscriptions/listen' }), filter, outlet);
  assert.deepEqual(await attachment.honoured, { ...filter, promptsListChanged: false });
  await used(upstreams, 'changed');
  assert.deepEqual(order, ['s true notifications/tools/list_changed']);
  assert.equal((await outlet.heard(1))[0]?.method, 'notifications/tools/list_changed');
  attachment.close();
  await used(upstreams, 'changed');
  assert.equal(outlet.events.length, 1);
});

test('a listener brings a crashed server back by itself', async (t) => {
  const upstreams = open(t, []);
  const filter = {
    toolsListChanged: true,
    promptsListChanged: false,
    resourcesListChanged: false,
    resourceSubscriptions: [],
    taskIds: [],
  };
  await upstreams.attach('s', exchange({ server: 's', method: 'subscriptions/listen' }), filter, new Remembering())
    .honoured;
  const outlet = new Remembering();
  upstreams.open(call('s', 'crash'), outlet, grant);
  await outlet.failed.promise;
  while (upstreams.status()[0]?.state !== 'ready') await once(AbortSignal.timeout(20), 'abort');
  assert.equal(upstreams.status()[0]?.restarts, 1);
});

test('no more calls than the server may have at once are sent; a cancelled one gives its turn away', async (t) => {
  const upstreams = open(t, [], { concurrency: 1 });
  const flight = upstreams.open(call('s', 'hang'), new Remembering(), grant);
  const second = new Remembering();
  upstreams.open(call('s', 'twice'), second, grant);
  await about(upstreams);
  assert.equal(second.ends, 0);
  flight.cancel('agent_cancelled');
  await second.result();
});

test('a changed server drains and ends, the others stay', async (t) => {
  const same = stdio('other', [SCRIPT]);
  const upstreams = upstreamsOf([stdio('s', [SCRIPT]), same]);
  t.after(() => upstreams.close());
  const pidOf = async (name: string) =>
    resultOf((await upstreams.request(name, hop, 'tools/list', {}, soon())).value)['pid'];
  const [before, other] = [await pidOf('s'), await pidOf('other')];
  const asking = new Remembering();
  upstreams.open(call('s', 'ask'), asking, undefined);
  const { answered } = await asking.asked();
  await upstreams.reload([stdio('s', [SCRIPT, 'noisy']), same]);
  assert.notEqual(await pidOf('s'), before);
  assert.equal(await pidOf('other'), other);
  assert.ok(alive(Number(before)), 'the call that is open keeps its process');
  answered({
    kind: 'closing',
    method: 'roots/list',
    doc: doc('{"jsonrpc":"2.0","id":0,"result":{}}'),
    payload: 'result',
  });
  await asking.result();
  while (alive(Number(before))) await once(AbortSignal.timeout(20), 'abort');
  await upstreams.reload([same]);
  await assert.rejects(upstreams.surface('s', hop, soon()), /no such server/);
});
