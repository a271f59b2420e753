/** Real MCP clients from npm, driven without a model. Each lists the tools of a URL and calls one. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createMCPClient } from '@ai-sdk/mcp';
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { MCPServerStreamableHttp } from '@openai/agents';
import type { Program } from './child.ts';

/** What a client makes of an answer; members it never shows are left out. */
export interface Called {
  content: unknown;
  structuredContent?: unknown;
  isError?: unknown;
}

export interface Session {
  /** Names and descriptions and whatever else the client shows of each tool. */
  list: () => Promise<unknown[]>;
  call: (name: string, args: Record<string, unknown>) => Promise<Called>;
  close: () => Promise<void>;
}

export interface RealClient {
  name: string;
  /** What it speaks on the wire to a server of both eras. */
  era: 'legacy' | 'modern';
  /** Whether it can be driven at a server of the other era as well. */
  fallsBack: boolean;
  open(url: string, token?: string): Promise<Session>;
}

const INFO = { name: 'real-client', version: '1.0.0' };

export const REAL_CLIENTS: readonly RealClient[] = [
  {
    name: '@modelcontextprotocol/sdk 1',
    era: 'legacy',
    fallsBack: false,
    open: (url, token) => openV1(httpV1(url, token)),
  },
  { name: '@modelcontextprotocol/client 2 legacy', era: 'legacy', fallsBack: false, open: v2('legacy') },
  { name: '@modelcontextprotocol/client 2 auto', era: 'modern', fallsBack: true, open: v2('auto') },
  { name: '@modelcontextprotocol/client 2 pinned', era: 'modern', fallsBack: false, open: v2({ pin: '2026-07-28' }) },
  { name: 'MCP Inspector legacy', era: 'legacy', fallsBack: false, open: inspector('legacy') },
  { name: 'MCP Inspector modern', era: 'modern', fallsBack: false, open: inspector('modern') },
  { name: '@openai/agents', era: 'modern', fallsBack: true, open: openAgents },
  { name: '@ai-sdk/mcp', era: 'modern', fallsBack: true, open: openAiSdk },
];

function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** Its types predate exactOptionalPropertyTypes. */
function httpV1(url: string, token?: string): Transport {
  return new HttpV1(new URL(url), { requestInit: { headers: bearer(token) } }) as Transport;
}

export async function openV1(transport: Transport): Promise<Session> {
  const client = new ClientV1(INFO);
  await client.connect(transport);
  return {
    list: async () => (await client.listTools()).tools,
    call: async (name, args) => shown(await client.callTool({ name, arguments: args })),
    close: () => client.close(),
  };
}

export function openV1Stdio(program: Program): Promise<Session> {
  return openV1(new StdioV1({ ...program, stderr: 'ignore' }));
}

export type Mode = 'legacy' | 'auto' | { pin: string };

function v2(mode: Mode): RealClient['open'] {
  return (url, token) => openV2(new HttpV2(new URL(url), { requestInit: { headers: bearer(token) } }), mode);
}

export function openV2Stdio(program: Program, mode: Mode): Promise<Session> {
  return openV2(new StdioV2({ ...program, stderr: 'ignore' }), mode);
}

async function openV2(transport: HttpV2 | StdioV2, mode: Mode): Promise<Session> {
  const client = new ClientV2(INFO, { versionNegotiation: { mode } });
  await client.connect(transport);
  return {
    list: async () => (await client.listTools()).tools,
    call: async (name, args) => shown(await client.callTool({ name, arguments: args })),
    close: () => client.close(),
  };
}

/** One process a question. It keeps its catalogue in HOME, which is a folder of its own here. */
function inspector(era: 'legacy' | 'modern'): RealClient['open'] {
  return async (url, token) => {
    const home = await mkdtemp(join(tmpdir(), 'inspector-'));
    const ask = (...args: string[]) =>
      runInspector(home, [url, ...authorization(token), '--protocol-era', era, ...args]);
    return {
      list: async () => (await ask('--method', 'tools/list')).tools as unknown[],
      call: async (name, args) => {
        const pairs = Object.entries(args).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
        const given = pairs.length > 0 ? ['--tool-arg', ...pairs] : [];
        return shown(await ask('--method', 'tools/call', '--tool-name', name, ...given));
      },
      close: () => rm(home, { recursive: true, force: true }),
    };
  };
}

function authorization(token: string | undefined): string[] {
  return token === undefined ? [] : ['--header', `Authorization: Bearer ${token}`];
}

const INSPECTOR = fileURLToPath(new URL('../../node_modules/.bin/mcp-inspector', import.meta.url));

interface Printed extends Called {
  tools?: unknown[];
}

async function runInspector(home: string, args: string[]): Promise<Printed> {
  const command = ['--cli', ...args.slice(0, 1), '--transport', 'http', ...args.slice(1)];
  const env = { ...process.env, HOME: home };
  const { stdout } = await promisify(execFile)(INSPECTOR, command, { env, maxBuffer: 16 * 1024 * 1024 });
  return JSON.parse(stdout) as Printed;
}

async function openAgents(url: string, token?: string): Promise<Session> {
  const server = new MCPServerStreamableHttp({ url, name: 'real', requestInit: { headers: bearer(token) } });
  await server.connect();
  return {
    list: () => server.listTools(),
    call: async (name, args) => shown(await server.callToolResult(name, args)),
    close: () => server.close(),
  };
}

async function openAiSdk(url: string, token?: string): Promise<Session> {
  const client = await createMCPClient({ transport: { type: 'http', url, headers: bearer(token) } });
  const tools = await client.tools();
  return {
    list: async () => Object.entries(tools).map(([name, { description }]) => ({ name, description })),
    call: async (name, args) =>
      shown((await tools[name]!.execute(args, { toolCallId: '1', messages: [], context: undefined })) as Called),
    close: () => client.close(),
  };
}

function shown(result: object): Called {
  const { content, structuredContent, isError } = result as Called;
  return JSON.parse(JSON.stringify({ content, structuredContent, isError })) as Called;
}
