/** What `npm start` gives: three real servers behind one URL, for stock clients, and a clean end. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isAlive } from './background.ts';
import { startDemo, terminated } from './demo.ts';
import type { Demo } from './demo.ts';
import { descendants } from './descendants.ts';
import { REAL_CLIENTS } from './real/clients.ts';

const BIN = fileURLToPath(new URL('../bin/sallyport.js', import.meta.url));

describe('the demo', { timeout: 60_000 }, () => {
  let folder: string;
  let demo: Demo;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'demo-'));
    const args = [BIN, 'demo', '--listen', '127.0.0.1:0'];
    demo = await startDemo({ command: process.execPath, args, cwd: folder, env: { SALLYPORT_DATA: folder } });
  });
  after(async () => {
    await demo?.child.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('prints settings with the URL and the token that work', () => {
    const blocks = demo.printed().split(/\n(?=\S.* \(.*\)\n)/);
    const clients = ['Claude Code', 'Cursor', 'VS Code', 'MCP Inspector', 'TypeScript SDK'];
    for (const client of clients) {
      const block = blocks.find((one) => one.trimStart().startsWith(client));
      assert.ok(block?.includes(demo.url) && block.includes(`Bearer ${demo.token}`), `${client}: ${block}`);
    }
    assert.match(demo.token, /^spt_\S{40,}$/);
  });

  for (const name of ['MCP Inspector legacy', 'MCP Inspector modern', '@modelcontextprotocol/sdk 1']) {
    test(`serves files, memory and everything to ${name}`, async () => {
      const session = await REAL_CLIENTS.find((client) => client.name === name)!.open(demo.url, demo.token);
      try {
        const names = (await session.list()).map((tool) => (tool as { name: string }).name);
        for (const tool of ['files__read_text_file', 'memory__read_graph', 'everything__echo']) {
          assert.ok(names.includes(tool), `${tool} is not among ${names.join(', ')}`);
        }
        const called = await session.call('everything__echo', { message: 'hello' });
        assert.match(JSON.stringify(called.content), /Echo: hello/);
      } finally {
        await session.close();
      }
    });
  }

  test('ends with 0 when it is asked to, and leaves no process behind', async () => {
    const below = await descendants(demo.child.process.pid!);
    assert.ok(below.length >= 3, 'each server is a process');
    assert.equal(await terminated(demo), 0);
    assert.deepEqual(below.filter(isAlive), []);
  });
});
