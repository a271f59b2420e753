/**
 * JSON-RPC by hand, for comparisons without loss: SDK clients drop what they do not know and round big integers.
 * One request at a time; everything that arrives until its answer belongs to it.
 */
import { createInterface } from 'node:readline';
import { start } from './child.ts';
import type { Child, Program } from './child.ts';

export type Era = 'legacy' | 'modern';
export type Target =
  | ({ kind: 'stdio' } & Program)
  | { kind: 'http'; url: string; token?: string }
  /** The two-endpoint transport of 2024-11-05. */
  | { kind: 'sse'; url: string };

export type Json = null | boolean | string | number | Json[] | { [member: string]: Json };
export interface Message {
  [member: string]: Json;
  method?: string;
}

/** The whole answer, and the notifications and asks that came before it, in order. */
export interface Answer {
  message: Message;
  before: Message[];
}

export interface Raw {
  /** The answer to `initialize` or `server/discover`. */
  opened: Message;
  /** @param id of the request, so that two runs can have the same. */
  request(id: number, method: string, params?: Message): Promise<Answer>;
  close(): Promise<void>;
}

/** Sends one message; for a request, yields what arrives until its answer is read. */
interface Wire {
  send(message: Message): AsyncIterable<Message>;
  notify(message: Message): Promise<void>;
  close(): Promise<void>;
}

const VERSION: Record<Era, string> = { legacy: '2025-11-25', modern: '2026-07-28' };
const INFO = { name: 'raw-client', version: '1.0.0' };
const NAMED: Record<string, string> = { 'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri' };

/** What a declared capability costs: asks are always answered the same. */
const CAPABILITIES: Message = { sampling: {}, elicitation: { form: {}, url: {} } };
const ANSWERS: Record<string, Message> = {
  'sampling/createMessage': { role: 'assistant', model: 'none', content: { type: 'text', text: 'Paris' } },
  'elicitation/create': { action: 'decline' },
  ping: {},
};

/** Numbers that a double cannot hold as written are kept as their text, so that a changed digit is seen. */
export function exact(text: string): Message {
  const parse = JSON.parse as (
    text: string,
    reviver: (key: string, value: Json, context: { source?: string }) => Json,
  ) => Message;
  return parse(text, (_key, value, { source }) =>
    typeof value === 'number' && String(value) !== source ? `number ${source}` : value,
  );
}

export async function openRaw(target: Target, era: Era): Promise<Raw> {
  const wire = await wires[target.kind](target as never, era);
  try {
    const { message: opened } = await converse(wire, opening(era));
    if ('error' in opened) throw new Error(`Refused: ${JSON.stringify(opened)}`);
    if (era === 'legacy') await wire.notify({ jsonrpc: '2.0', method: 'notifications/initialized' });
    const request = (id: number, method: string, params: Message = {}) =>
      converse(wire, { jsonrpc: '2.0', id, method, params: era === 'modern' ? enveloped(params) : params });
    return { opened, request, close: () => wire.close() };
  } catch (error) {
    await wire.close();
    throw error;
  }
}

function opening(era: Era): Message {
  if (era === 'modern') return { jsonrpc: '2.0', id: 0, method: 'server/discover', params: enveloped({}) };
  const params = { protocolVersion: VERSION.legacy, capabilities: CAPABILITIES, clientInfo: INFO };
  return { jsonrpc: '2.0', id: 0, method: 'initialize', params };
}

function enveloped(params: Message): Message {
  const envelope = {
    'io.modelcontextprotocol/protocolVersion': VERSION.modern,
    'io.modelcontextprotocol/clientInfo': INFO,
    'io.modelcontextprotocol/clientCapabilities': CAPABILITIES,
  };
  return { ...params, _meta: { ...envelope, ...(params['_meta'] as Message | undefined) } };
}

async function converse(wire: Wire, request: Message): Promise<Answer> {
  const before: Message[] = [];
  for await (const message of wire.send(request)) {
    if (message.method === undefined && message['id'] === request['id']) return { message, before };
    before.push(message);
    if (message['id'] !== undefined) await wire.notify(answerTo(message));
  }
  throw new Error(`No answer to ${JSON.stringify(request)}, only ${JSON.stringify(before)}`);
}

function answerTo({ id, method = '' }: Message): Message {
  const result = ANSWERS[method];
  return { jsonrpc: '2.0', id: id!, ...(result ? { result } : { error: { code: -32601, message: 'Not here.' } }) };
}

const wires = { stdio: stdioWire, http: httpWire, sse: sseWire };

async function stdioWire(program: Program): Promise<Wire> {
  const child = start(program);
  const lines = queue(createInterface({ input: child.process.stdout }), child);
  const write = (message: Message) => void child.process.stdin.write(`${JSON.stringify(message)}\n`);
  return {
    send: (message) => (write(message), lines),
    notify: async (message) => write(message),
    close: () => child.close(),
  };
}

/** An endless reader that several loops share in turn: leaving one must not end the source. */
function queue(lines: AsyncIterable<string>, child: Child): AsyncIterable<Message> {
  const source = lines[Symbol.asyncIterator]();
  const next = async (): Promise<IteratorResult<Message>> => {
    const { done, value } = await source.next();
    if (done) throw new Error(`The process ended:\n${child.printed()}`);
    return { done: false, value: exact(value) };
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

async function httpWire(target: { url: string; token?: string }, era: Era): Promise<Wire> {
  let session: string | undefined;
  const post = async (message: Message) => {
    const headers = headersOf(message, era, target.token, session);
    const response = await fetch(target.url, { method: 'POST', headers, body: JSON.stringify(message) });
    session ??= response.headers.get('mcp-session-id') ?? undefined;
    return response;
  };
  return {
    send: async function* (message) {
      yield* messagesOf(await post(message));
    },
    notify: async (message) => void (await (await post(message)).arrayBuffer()),
    close: async () => {
      if (session === undefined) return;
      const headers = headersOf({}, era, target.token, session);
      await (await fetch(target.url, { method: 'DELETE', headers })).arrayBuffer();
    },
  };
}

function headersOf(message: Message, era: Era, token: string | undefined, session: string | undefined): Headers {
  const headers = new Headers({
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  });
  const opens = message.method === 'initialize';
  if (!opens) headers.set('mcp-protocol-version', VERSION[era]);
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
  if (session !== undefined) headers.set('mcp-session-id', session);
  if (era === 'legacy') return headers;
  const { method = '' } = message;
  headers.set('mcp-method', method);
  const name = (message['params'] as Message | undefined)?.[NAMED[method] ?? ''];
  if (typeof name === 'string') headers.set('mcp-name', name);
  return headers;
}

async function* messagesOf(response: Response): AsyncIterable<Message> {
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    const text = await response.text();
    if (!text.startsWith('{')) throw new Error(`${response.status} ${text}`);
    yield exact(text);
    return;
  }
  for await (const { data } of events(response)) if (data !== '') yield exact(data);
}

/** Events of a stream whose every event has one data line, as every server here writes them. */
export async function* events(response: Response): AsyncIterable<{ event: string; data: string }> {
  let event = 'message';
  const input = response.body!.pipeThrough(new TextDecoderStream());
  let rest = '';
  for await (const chunk of input) {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop()!;
    for (const line of lines) {
      if (line.startsWith('event:')) event = line.slice(6).trim();
      if (line.startsWith('data:')) yield { event, data: line.slice(5).trim() };
      if (line === '') event = 'message';
    }
  }
}

async function sseWire({ url }: { url: string }): Promise<Wire> {
  const ended = new AbortController();
  const stream = events(await fetch(url, { headers: { accept: 'text/event-stream' }, signal: ended.signal }));
  const source = stream[Symbol.asyncIterator]();
  const first = await source.next();
  const endpoint = new URL(String(first.value.data), url);
  const next = async (): Promise<IteratorResult<Message>> => ({
    done: false,
    value: exact(String((await source.next()).value.data)),
  });
  const post = async (message: Message) => {
    const headers = { 'content-type': 'application/json' };
    await (await fetch(endpoint, { method: 'POST', headers, body: JSON.stringify(message) })).arrayBuffer();
  };
  return {
    send: async function* (message) {
      await post(message);
      yield* { [Symbol.asyncIterator]: () => ({ next }) };
    },
    notify: post,
    close: async () => ended.abort(),
  };
}
