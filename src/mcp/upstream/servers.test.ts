/** Servers from npm as their authors wrote them: what comes through this edge is what a direct client gets. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { z } from 'zod';
import {
  Remembering,
  call,
  hop,
  http,
  resultOf,
  soon,
  stdio,
  upstreamsOf,
} from '../../../test/fixtures/upstream/kit.ts';
import type { JsonObject } from '../../gateway/document.ts';
import type { Era } from '../../gateway/exchange.ts';
import type { ServerSettings } from '../../gateway/ports.ts';

const bin = (name: string) => fileURLToPath(new URL(`../../../node_modules/.bin/${name}`, import.meta.url));
const children: ChildProcess[] = [];
after(() => {
  for (const { pid } of children) if (pid !== undefined) stop(pid);
});

function stop(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it is gone already
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a server on a port of its own and waits until it answers at all. */
async function served(
  name: string,
  args: (port: number) => string[],
  env: (port: number) => Record<string, string>,
): Promise<string> {
  const port = await freePort();
  const options = { env: { ...process.env, ...env(port) }, stdio: 'ignore', detached: true } as const;
  children.push(spawn(process.execPath, [bin(name), ...args(port)], options));
  for (let tries = 0; tries < 150; tries++) {
    const response = await fetch(`http://127.0.0.1:${port}/nowhere`).catch(() => undefined);
    if (response !== undefined) return `http://127.0.0.1:${port}`;
    await pause(100);
  }
  throw new Error(`${name} does not listen`);
}

const raw = z.looseObject({});

async function direct(transport: Transport, method: string, params: JsonObject): Promise<JsonObject> {
  const client = new Client({ name: 'agent', version: '1' });
  await client.connect(transport);
  const result = await client.request({ method, params }, raw);
  await client.close();
  return result as JsonObject;
}

interface Case {
  readonly settings: ServerSettings;
  readonly transport: () => Transport;
  readonly era: Era;
  readonly tools: number;
  readonly use?: { readonly name: string; readonly args: JsonObject };
}

async function same(t: TestContext, { settings, transport, era, tools, use }: Case): Promise<void> {
  const upstreams = upstreamsOf([settings]);
  t.after(() => upstreams.close());
  const { name } = settings;
  assert.equal((await upstreams.surface(name, hop, soon())).era, era);
  const list = resultOf((await upstreams.request(name, hop, 'tools/list', {}, soon())).value);
  assert.equal((list['tools'] as unknown[]).length, tools);
  assert.deepEqual(list['tools'], (await direct(transport(), 'tools/list', {}))['tools']);
  if (use === undefined) return;
  const outlet = new Remembering();
  upstreams.open(call(name, use.name, use.args), outlet, undefined);
  const answer = await outlet.result();
  const wanted = await direct(transport(), 'tools/call', { name: use.name, arguments: use.args });
  assert.deepEqual(answer['content'], wanted['content']);
}

const echo = { name: 'echo', args: { message: 'grüezi' } };
const sql = { name: 'execute_sql', args: { sql: 'select 9007199254740993 as big' } };

function piped(name: string, ...args: string[]): Pick<Case, 'settings' | 'transport'> {
  const all = [bin(name), ...args];
  return {
    settings: stdio(name, all),
    transport: () => new StdioClientTransport({ command: process.execPath, args: all, stderr: 'ignore' }),
  };
}

function networked(name: string, url: string): Pick<Case, 'settings' | 'transport'> {
  // the SDK's class misses its own interface under exactOptionalPropertyTypes
  return { settings: http(name, url), transport: () => new StreamableHTTPClientTransport(new URL(url)) as Transport };
}

test('server-everything over stdio', (t) =>
  same(t, { ...piped('mcp-server-everything'), era: 'legacy', tools: 13, use: echo }));

test('server-everything over Streamable HTTP', async (t) => {
  const origin = await served(
    'mcp-server-everything',
    () => ['streamableHttp'],
    (port) => ({ PORT: String(port) }),
  );
  await same(t, { ...networked('everything', `${origin}/mcp`), era: 'legacy', tools: 13, use: echo });
});

test('server-everything over HTTP+SSE', async (t) => {
  const origin = await served(
    'mcp-server-everything',
    () => ['sse'],
    (port) => ({ PORT: String(port) }),
  );
  const transport = () => new SSEClientTransport(new URL(`${origin}/sse`));
  await same(t, { settings: http('everything', `${origin}/sse`), transport, era: 'legacy', tools: 13, use: echo });
});

test('git-mcp-server over HTTP, which answers 500 to a discovery', async (t) => {
  const env = (port: number) => ({
    MCP_TRANSPORT_TYPE: 'http',
    MCP_HTTP_PORT: String(port),
    MCP_HTTP_HOST: '127.0.0.1',
  });
  const origin = await served('git-mcp-server', () => [], env);
  await same(t, { ...networked('git', `${origin}/mcp`), era: 'legacy', tools: 28 });
});

test('dbhub over stdio, which speaks both eras', (t) =>
  same(t, { ...piped('dbhub', '--demo'), era: 'modern', tools: 2, use: sql }));

test('dbhub over HTTP, which speaks both eras', async (t) => {
  const origin = await served(
    'dbhub',
    (port) => ['--demo', '--transport', 'http', '--port', String(port)],
    () => ({}),
  );
  await same(t, { ...networked('dbhub', `${origin}/mcp`), era: 'modern', tools: 2, use: sql });
});

test('dbhub over HTTP, told to be legacy', async (t) => {
  const origin = await served(
    'dbhub',
    (port) => ['--demo', '--transport', 'http', '--port', String(port)],
    () => ({}),
  );
  const { settings, transport } = networked('dbhub', `${origin}/mcp`);
  await same(t, { settings: { ...settings, era: 'legacy' }, transport, era: 'legacy', tools: 2, use: sql });
});

test('playwright-mcp over stdio', (t) =>
  same(t, { ...piped('playwright-mcp', '--headless'), era: 'legacy', tools: 25 }));
