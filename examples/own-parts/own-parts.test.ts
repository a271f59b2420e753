import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { callTool, textOf } from '../../test/call.ts';
import { startGateway, type Gateway } from '../../test/gateway.ts';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

interface Example {
  readonly servers: { readonly files: object };
  readonly policy: { readonly use: string };
  readonly inspect: readonly { readonly use: string }[];
  readonly limits: readonly object[];
}

/** The example's configuration for a file elsewhere, with the server that is installed instead of npx. */
async function example(): Promise<Example> {
  const written = parse(await readFile(join(FOLDER, 'sallyport.yaml'), 'utf8')) as Example;
  const here = <P extends { use: string }>(part: P): P =>
    part.use.startsWith('./') ? { ...part, use: join(FOLDER, part.use) } : part;
  const files = { command: process.execPath, args: [installed(), './files'], cwd: FOLDER };
  return { ...written, servers: { files }, policy: here(written.policy), inspect: written.inspect.map(here) };
}

function installed(): string {
  const manifest = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-filesystem/package.json');
  return join(dirname(manifest), 'dist/index.js');
}

describe('the example with parts of its own', () => {
  let gateway: Gateway;
  before(async () => {
    gateway = await startGateway(await example());
  });
  after(() => gateway?.close());

  const read = (path: string) => callTool(gateway, 'files__read_text_file', { path });

  test('a tool that the own policy does not list does not exist for the agent, and is not called', async () => {
    const called = await callTool(gateway, 'files__write_file', { path: 'forbidden.txt', content: 'x' });
    assert.equal(called.error?.message, 'Unknown tool.');
    await assert.rejects(readFile(join(FOLDER, 'files/forbidden.txt')), { code: 'ENOENT' });
  });

  test('a call that names an internal host is refused by the added inspection', async () => {
    const { error } = await read('db1.corp.example');
    assert.deepEqual([error?.code, error?.message], [403, 'The content was refused by inspection.']);
  });

  test('an answer that names one passes: the part notes it', async () => {
    assert.equal(textOf(await read('runbook.txt')), 'The database is db1.corp.example.\n');
  });

  test('a listed tool is called', async () => {
    assert.equal(textOf(await read('note.txt')), 'Ship at nine.\n');
  });

  test('without limits everything at once is answered; with one place, most is refused', async () => {
    const atOnce = async (one: Gateway) => {
      const path = 'note.txt';
      const calls = Array.from({ length: 12 }, () => callTool(one, 'files__read_text_file', { path }));
      return (await Promise.all(calls)).filter(({ error }) => error?.code === 429).length;
    };
    assert.equal(await atOnce(gateway), 0);
    const bounded = await startGateway({ ...(await example()), limits: [{ use: 'concurrency', perPrincipal: 1 }] });
    try {
      assert.ok((await atOnce(bounded)) > 0);
    } finally {
      await bounded.close();
    }
  });
});

test('sallyport explain shows the example with its own parts in their stages, and none where limits were', async () => {
  const args = [MAIN, 'explain', '--json', '--config', join(FOLDER, 'sallyport.yaml')];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { inward } = JSON.parse(stdout) as { inward: { stage: string; parts: string[] }[] };
  const parts = Object.fromEntries(inward.map((one) => [one.stage, one.parts]));
  assert.deepEqual(parts['authorize'], ['risk/constant', 'policy/./my-policy.ts']);
  assert.deepEqual(parts['inspect'], ['inspection/none', 'inspection/./my-inspection.ts']);
  assert.deepEqual([parts['throttle'], parts['limit']], [[], []]);
});
