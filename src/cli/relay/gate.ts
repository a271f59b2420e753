/** HTTP to the gateway over its own socket. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { SseReader } from '../../mcp/codec/sse.ts';

/** Nobody listens at the socket: the message was not sent, and may be sent again. */
export class NobodyThere extends Error {}

export interface GateSettings {
  readonly socket: string;
  /** The file that holds the owner's token; read again for every connection, because the gateway makes it. */
  readonly token: string;
  /** `/mcp` or `/mcp/<server>`. */
  readonly path: string;
}

export interface Sent {
  readonly verb: 'POST' | 'GET' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly signal?: AbortSignal;
}

/** Bytes of one event; the gateway bounds its messages, this only bounds a broken one. */
const EVENT = 256 * 1024 * 1024;

export class Gate {
  readonly #settings: GateSettings;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Infinity });

  constructor(settings: GateSettings) {
    this.#settings = settings;
  }

  /** Resolves with the head of the response. Rejects with NobodyThere when nothing was sent. */
  send({ verb, headers, body, signal }: Sent): Promise<IncomingMessage> {
    const { socket, token, path } = this.#settings;
    const options = {
      socketPath: socket,
      agent: this.#agent,
      path,
      method: verb,
      headers: { host: 'localhost', ...authorization(token), ...headers },
      ...(signal && { signal }),
    };
    return new Promise((resolve, reject) => {
      const sent = request(options, resolve);
      sent.on('error', (error: NodeJS.ErrnoException) =>
        reject(isNobody(error) ? new NobodyThere(error.message) : error),
      );
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function isNobody({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ENOENT' || code === 'ECONNREFUSED';
}

function authorization(file: string): { authorization?: string } {
  try {
    return { authorization: `Bearer ${readFileSync(file, 'utf8').trim()}` };
  } catch {
    return {};
  }
}

export async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export function isStream(response: IncomingMessage): boolean {
  return (response.headers['content-type'] ?? '').startsWith('text/event-stream');
}

export interface StreamHandlers {
  /** One message; a promise holds the stream back. */
  message(json: Buffer): void | Promise<void>;
  id?(id: string): void;
  retry?(milliseconds: number): void;
}

/** Reads events in order until the stream ends; rejects when it breaks. */
export async function readEvents(response: IncomingMessage, on: StreamHandlers): Promise<void> {
  const ready: Buffer[] = [];
  const reader = new SseReader(
    { event: EVENT },
    {
      event: ({ data }) => data.length > 0 && void ready.push(data),
      fault: ({ fault, detail }) => fault === 'too_large' && response.destroy(new Error(detail)),
      id: (id) => on.id?.(id),
      retry: (milliseconds) => on.retry?.(milliseconds),
    },
  );
  for await (const chunk of response) {
    reader.push(chunk as Buffer);
    for (const data of ready.splice(0)) await on.message(data);
  }
}

/** The message that a stream ends with: the answer, where nothing before it matters. */
export async function lastEvent(response: IncomingMessage): Promise<Buffer> {
  let last: Buffer = Buffer.alloc(0);
  await readEvents(response, { message: (json) => void (last = json) });
  return last;
}
