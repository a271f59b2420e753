/** The conformance server in all four shapes: era and transport make no difference to what comes through. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  Remembering,
  call,
  exchange,
  hop,
  http,
  soon,
  stdio,
  upstreamsOf,
} from '../../../test/fixtures/upstream/kit.ts';
import type { Era } from '../../gateway/exchange.ts';
import type { ServerSettings, Upstreams } from '../../gateway/ports.ts';

const MAIN = fileURLToPath(new URL('../../../test/fixtures/conformance/main.ts', import.meta.url));
const WATCHED = 'test://watched-resource';

async function settings(t: TestContext, era: Era, transport: 'http' | 'stdio'): Promise<ServerSettings> {
  const args = ['--era', era, '--transport', transport];
  if (transport === 'stdio') return stdio('c', [MAIN, ...args]);
  const child = fork(MAIN, args, { silent: true });
  t.after(() => child.disconnect());
  for await (const line of createInterface({ input: child.stdout! })) {
    if (line.startsWith('listening ')) return http('c', line.slice('listening '.length));
  }
  throw new Error('the server does not listen');
}

async function open(t: TestContext, era: Era, transport: 'http' | 'stdio'): Promise<Upstreams> {
  const upstreams = upstreamsOf([await settings(t, era, transport)]);
  t.after(() => upstreams.close());
  return upstreams;
}

async function used(upstreams: Upstreams, name: string, more = {}): Promise<Remembering> {
  const outlet = new Remembering();
  upstreams.open(call('c', name, {}, more), outlet, undefined);
  await outlet.result();
  return outlet;
}

for (const era of ['modern', 'legacy'] as const) {
  for (const transport of ['http', 'stdio'] as const) {
    test(`${era} over ${transport}: the era is found, progress and news arrive, a restart is not needed`, async (t) => {
      const upstreams = await open(t, era, transport);
      assert.equal((await upstreams.surface('c', hop, soon())).era, era);
      const working = await used(upstreams, 'test_tool_with_progress', { progressToken: '"p"' });
      const progress = working.events.filter(({ method }) => method === 'notifications/progress');
      assert.deepEqual(
        progress.map(({ doc }) => doc.raw(['params', 'progressToken'])),
        ['"p"', '"p"', '"p"'],
      );
      const listener = new Remembering();
      const filter = {
        toolsListChanged: true,
        promptsListChanged: false,
        resourcesListChanged: false,
        resourceSubscriptions: [WATCHED],
        taskIds: [],
      };
      const attachment = upstreams.attach(
        'c',
        exchange({ server: 'c', method: 'subscriptions/listen' }),
        filter,
        listener,
      );
      assert.deepEqual(await attachment.honoured, filter);
      await used(upstreams, 'test_trigger_tool_change');
      await used(upstreams, 'test_trigger_prompt_change');
      await used(upstreams, 'test_trigger_resource_change');
      const methods = (await listener.heard(2)).map(({ method }) => method);
      assert.deepEqual(methods.sort(), ['notifications/resources/updated', 'notifications/tools/list_changed']);
      attachment.close();
      await used(upstreams, 'test_simple_text');
      assert.equal(upstreams.status()[0]?.restarts, 0);
    });
  }
}

test('a legacy stream that the server drops before the answer is taken up again (SEP-1699)', async (t) => {
  const upstreams = await open(t, 'legacy', 'http');
  await used(upstreams, 'test_reconnection');
});

test('closing while calls are open ends them with a fault and leaves nothing behind', async (t) => {
  const upstreams = await open(t, 'modern', 'stdio');
  await upstreams.surface('c', hop, soon());
  const outlet = new Remembering();
  upstreams.open(call('c', 'test_tool_with_progress'), outlet, undefined);
  await upstreams.close();
  assert.match(await outlet.failed.promise, /^upstream_lost/);
});
