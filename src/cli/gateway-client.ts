/** HTTP to the running gateway over its own socket. */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Places } from '../config/places.ts';

export interface Asked {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answered {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** Nobody listens at the socket. */
export class NoGateway extends Error {
  constructor(socket: string) {
    super(`no gateway is running at ${socket}: start one with \`sallyport up\`, or name another with --data`);
    this.name = 'NoGateway';
  }
}

export async function ask({ socket, token }: Places, { method, path, headers = {}, body }: Asked): Promise<Answered> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(
      { socketPath: socket, method, path, headers: { host: 'localhost', ...authorization(token), ...headers } },
      resolve,
    );
    sent.on('error', (error: NodeJS.ErrnoException) => reject(isNobody(error) ? new NoGateway(socket) : error));
    sent.end(body);
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const type = response.headers['content-type'] ?? '';
  return { status: response.statusCode ?? 0, type, text: Buffer.concat(chunks).toString('utf8') };
}

function isNobody({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK';
}

function authorization(file: string): { authorization?: string } {
  try {
    return { authorization: `Bearer ${readFileSync(file, 'utf8').trim()}` };
  } catch {
    return {};
  }
}

/** The JSON-RPC answer in a response: the whole body, or the last event of a stream that has a result or an error. */
export function rpcAnswer({ type, text }: Answered): Record<string, unknown> | undefined {
  const texts = type.startsWith('text/event-stream') ? eventData(text) : [text];
  return texts.map(parsed).findLast((message) => message !== undefined && ('result' in message || 'error' in message));
}

function eventData(stream: string): string[] {
  return stream.split(/\r?\n\r?\n/).map((event) =>
    event
      .split(/\r?\n/)
      .filter((line) => line.startsWith('data:'))
      .map((line) => line.slice(5).trimStart())
      .join('\n'),
  );
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
