/** Whole HTTP requests for the load generator, and what a client says before its first call. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Target } from './targets.ts';

export type Era = 'modern' | 'legacy';

/** What is called, as its row says. */
export interface Called {
  readonly era: Era;
  readonly path: string;
  /** `small` answers with 1.5 KB, `large` with 100 KB, `events` with ten progress events before 1.5 KB. */
  readonly tool: string;
}

/** Where the load generator puts its ten digits. */
const MARK = 'IDIDIDIDID';
const MODERN = '2026-07-28';
const LEGACY = '2025-11-25';
const ACCEPT = 'application/json, text/event-stream';

export const EVENTS = 10;

/** @returns the path of the file */
export async function writeRequest(folder: string, name: string, target: Target, called: Called): Promise<string> {
  const session = called.era === 'legacy' ? await openSession(target, called.path) : undefined;
  const file = join(folder, `${name.replaceAll(/[^a-z0-9]+/gi, '-')}.http`);
  await writeFile(file, requestText(target, called, session));
  return file;
}

function requestText(target: Target, called: Called, session: string | undefined): string {
  const body = bodyOf(called);
  const head = Object.entries({
    host: `127.0.0.1:${target.port}`,
    ...headersOf(target, called, session),
    'content-length': String(body.length),
  });
  return `POST ${called.path} HTTP/1.1\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}

function headersOf({ headers }: Target, { era, tool }: Called, session: string | undefined): Record<string, string> {
  const common = { ...headers, 'content-type': 'application/json', accept: ACCEPT };
  if (era === 'modern') {
    return { ...common, 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/call', 'mcp-name': tool };
  }
  return { ...common, 'mcp-protocol-version': LEGACY, ...(session === undefined ? {} : { 'mcp-session-id': session }) };
}

function bodyOf({ era, tool }: Called): string {
  const _meta = {
    ...(tool === 'events' ? { progressToken: 7 } : {}),
    ...(era === 'modern' ? { [`${PREFIX}protocolVersion`]: MODERN, [`${PREFIX}clientCapabilities`]: {} } : {}),
  };
  const given = { query: 'what a call costs, in words that nobody looks at', limit: 20 };
  const params = { name: tool, arguments: given, _meta };
  const text = JSON.stringify({ jsonrpc: '2.0', id: MARK, method: 'tools/call', params });
  return text.replace(`"${MARK}"`, MARK);
}

const PREFIX = 'io.modelcontextprotocol/';

/** The handshake of the eras before 2026-07-28. @returns the session's id, where the server has sessions */
export async function openSession({ port, headers }: Target, path: string): Promise<string | undefined> {
  const url = `http://127.0.0.1:${port}${path}`;
  const common = { ...headers, 'content-type': 'application/json', accept: ACCEPT };
  const params = { protocolVersion: LEGACY, capabilities: {}, clientInfo: { name: 'bench', version: '1' } };
  const first = await post(url, common, { jsonrpc: '2.0', id: 1, method: 'initialize', params });
  const session = first.headers.get('mcp-session-id') ?? undefined;
  const named = { ...common, 'mcp-protocol-version': LEGACY, ...(session ? { 'mcp-session-id': session } : {}) };
  await post(url, named, { jsonrpc: '2.0', method: 'notifications/initialized' });
  return session;
}

async function post(url: string, headers: Record<string, string>, body: object): Promise<Response> {
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`);
  return response;
}
