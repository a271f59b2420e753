/** The stateless leg: every request for itself, with the headers that mirror it; closing a request cancels it. */
import type { IncomingMessage } from 'node:http';
import { mirroredHeaders } from '../../mcp/codec/headers.ts';
import type { Json } from '../../mcp/codec/json.ts';
import { bodyOf, isStream, lastEvent, readEvents } from './gate.ts';
import type { DiscoverMemory } from './discover.ts';
import { answeredId, errorCode, failure, namedVersion, refusal, resultOf } from './message.ts';
import type { Line, Request } from './message.ts';
import type { Pipe } from './relay.ts';

const MEDIA = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const HEADER_MISMATCH = -32020;
/** The version that the memory of discovery speaks. */
const REMEMBERED = '2026-07-28';
const LOST = 'The gateway went away before it answered. Whether the request took effect is unknown.';

export class ModernLeg {
  readonly #pipe: Pipe;
  readonly #memory: DiscoverMemory;
  readonly #flights = new Map<string, AbortController>();
  readonly #lines = new Map<string, Request>();
  /** Input schemas by tool, as last listed: they name the arguments that headers mirror. */
  readonly #schemas = new Map<string, Json>();

  constructor(pipe: Pipe, memory: DiscoverMemory) {
    this.#pipe = pipe;
    this.#memory = memory;
  }

  async request(line: Request): Promise<void> {
    const flight = new AbortController();
    this.#flights.set(line.id, flight);
    this.#lines.set(line.id, line);
    try {
      await this.#ask(line, flight.signal);
    } catch (error) {
      if (!flight.signal.aborted) await this.#pipe.write(failure(line.id, told(error)));
    } finally {
      this.#flights.delete(line.id);
      this.#lines.delete(line.id);
    }
  }

  /** True when the request was one of this leg's. Nothing of it is written afterwards. */
  cancel(id: string): boolean {
    const flight = this.#flights.get(id);
    flight?.abort();
    return flight !== undefined;
  }

  async notify(line: Extract<Line, { kind: 'notification' }>): Promise<void> {
    const response = await this.#pipe.send({ verb: 'POST', headers: this.#headers(line), body: line.bytes });
    response.resume();
  }

  /** Ends what would go on for ever. */
  hangUp(): void {
    for (const [id, { method }] of this.#lines) if (method === 'subscriptions/listen') this.cancel(id);
  }

  close(): void {
    for (const flight of this.#flights.values()) flight.abort();
  }

  async #ask(line: Request, signal: AbortSignal): Promise<void> {
    const known = line.method === 'server/discover' && namedVersion(line.params) === REMEMBERED;
    if (!known) return this.#take(line, await this.#post(line, signal), signal);
    const response = await this.#pipe.tryNow({ verb: 'POST', headers: this.#headers(line), body: line.bytes, signal });
    if (response !== undefined) return this.#take(line, response, signal);
    await this.#pipe.write(`{"jsonrpc":"2.0","id":${line.id},"result":${this.#memory.recall()}}`);
    void this.#refresh(line);
  }

  /** What was said from memory is asked for again, for the next time. */
  async #refresh(line: Request): Promise<void> {
    try {
      const response = await this.#pipe.send({ verb: 'POST', headers: this.#headers(line), body: line.bytes });
      this.#remember(line, await bodyOf(response));
    } catch {
      // the request after this one will tell what is wrong
    }
  }

  #post(line: Request, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#pipe.send({ verb: 'POST', headers: this.#headers(line), body: line.bytes, signal });
  }

  #headers({ method, params }: { method: string; params: Request['params'] }): Record<string, string> {
    const schema = typeof params['name'] === 'string' ? this.#schemas.get(params['name']) : undefined;
    const headers: Record<string, string> = { ...MEDIA };
    const version = namedVersion(params);
    if (version !== undefined) headers['mcp-protocol-version'] = version;
    for (const { name, value } of mirroredHeaders(method, params, schema)) headers[name] = value;
    return headers;
  }

  async #take(line: Request, response: IncomingMessage, signal: AbortSignal, again = false): Promise<void> {
    if (isStream(response)) return this.#stream(line, response);
    const body = await bodyOf(response);
    if (signal.aborted) return;
    if (!again && line.method === 'tools/call' && errorCode(body) === HEADER_MISMATCH) {
      await this.#relist(line, signal);
      return this.#take(line, await this.#post(line, signal), signal, true);
    }
    if (response.statusCode === 200) this.#remember(line, body);
    await this.#pipe.write(response.statusCode === 200 ? body : refusal(line.id, body, response.statusCode ?? 0));
  }

  /** The tool mirrors arguments that were not known of; nothing was called yet (streamable-http: list again, retry once). */
  async #relist(line: Request, signal: AbortSignal): Promise<void> {
    const params = { _meta: line.params['_meta'] ?? {} };
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'tools/list', params }));
    const list: Request = { kind: 'request', id: '0', method: 'tools/list', params, bytes: body };
    const response = await this.#post(list, signal);
    this.#remember(list, isStream(response) ? await lastEvent(response) : await bodyOf(response));
  }

  async #stream(line: Request, response: IncomingMessage): Promise<void> {
    let answered = false;
    await readEvents(response, {
      message: (json) => {
        answered ||= answeredId(json) === line.id;
        if (answered) this.#remember(line, json);
        return this.#pipe.write(json);
      },
    });
    if (!answered) throw new Error(LOST);
  }

  #remember({ method, params }: Request, json: Buffer): void {
    if (method !== 'server/discover' && method !== 'tools/list') return;
    const result = resultOf(json);
    if (result === undefined) return;
    if (method === 'server/discover') this.#memory.keep(result);
    else this.#learn(result['tools'], params['cursor'] === undefined);
  }

  #learn(tools: Json | undefined, first: boolean): void {
    if (!Array.isArray(tools)) return;
    if (first) this.#schemas.clear();
    for (const tool of tools) {
      if (typeof tool !== 'object' || tool === null || Array.isArray(tool)) continue;
      const { name, inputSchema } = tool;
      if (typeof name === 'string' && inputSchema !== undefined) this.#schemas.set(name, inputSchema);
    }
  }
}

function told(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNRESET' || code === 'EPIPE') return LOST;
  return error instanceof Error ? error.message : String(error);
}
