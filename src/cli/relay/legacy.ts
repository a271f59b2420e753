/**
 * The leg with a session. The agent on the pipe never learns of sessions: when the gateway's is gone, the handshake is
 * replayed and the agent goes on; when a stream breaks, it is resumed.
 */
import type { IncomingMessage } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
import { bodyOf, isStream, lastEvent, readEvents } from './gate.ts';
import { answeredId, failure, refusal, resultOf } from './message.ts';
import type { Line, Request } from './message.ts';
import type { Pipe } from './relay.ts';

const MEDIA = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const INITIALIZED = Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}');
const LOST = 'The gateway went away before it answered. Whether the request took effect is unknown.';

/** Milliseconds between two looks for a gateway that is gone, at most. */
const LONGEST = 30_000;

interface Session {
  readonly id: string;
  readonly version: string;
}

/** Where a stream stopped, and how long to wait before it is asked for again. */
interface Place {
  lastEventId: string | undefined;
  retry: number;
}

export class LegacyLeg {
  readonly #pipe: Pipe;
  readonly #closing = new AbortController();
  #hello: Request | undefined;
  #initialized = false;
  #session: Promise<Session> | undefined;

  constructor(pipe: Pipe) {
    this.#pipe = pipe;
  }

  /** Whether the agent has begun a session at all. */
  get begun(): boolean {
    return this.#session !== undefined;
  }

  async request(line: Request): Promise<void> {
    try {
      if (line.method === 'initialize') await this.#initialize(line);
      else await this.#take(line, await this.#post(line.bytes));
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      await this.#pipe.write(failure(line.id, error instanceof Error ? error.message : String(error)));
    }
  }

  async notify(line: Extract<Line, { kind: 'notification' }>): Promise<void> {
    const response = await this.#post(line.bytes);
    response.resume();
    if (line.method === 'notifications/initialized' && response.statusCode === 202) this.#begin();
  }

  async answer(line: Extract<Line, { kind: 'answer' }>): Promise<void> {
    (await this.#post(line.bytes)).resume();
  }

  /** Says goodbye if the gateway can hear it, and lets nothing more come. */
  async close(): Promise<void> {
    this.#closing.abort();
    const session = await Promise.race([this.#session?.catch(() => undefined), after(0)]);
    if (session === undefined) return;
    const gone = AbortSignal.timeout(500);
    await this.#pipe
      .peek({ verb: 'DELETE', headers: sessionHeaders(session), signal: gone })
      .then((response) => response?.resume())
      .catch(() => undefined);
  }

  // ---- the session -----------------------------------------------------------------------------------------

  async #initialize(line: Request): Promise<void> {
    this.#hello = line;
    this.#initialized = false;
    const greeted = this.#greet(line);
    this.#session = greeted.then(({ session }) => session);
    this.#session.catch(() => undefined);
    await this.#pipe.write((await greeted).answer);
  }

  async #greet({ id, bytes }: Request): Promise<{ session: Session; answer: Buffer | string }> {
    const response = await this.#pipe.send({ verb: 'POST', headers: MEDIA, body: bytes });
    const answer = isStream(response) ? await lastEvent(response) : await bodyOf(response);
    const token = response.headers['mcp-session-id'];
    const version = resultOf(answer)?.['protocolVersion'];
    if (response.statusCode === 200 && typeof token === 'string' && typeof version === 'string') {
      return { session: { id: token, version }, answer };
    }
    this.#session = undefined;
    return { session: { id: '', version: '' }, answer: refusal(id, answer, response.statusCode ?? 0) };
  }

  /** The gateway forgot the session that `stale` names: one replay for all who notice. */
  #again(stale: Promise<Session>, seen: IncomingMessage): void {
    seen.resume();
    if (this.#session !== stale || this.#hello === undefined) return;
    const hello = this.#hello;
    this.#session = this.#greet(hello).then(async ({ session }) => {
      if (session.id === '') throw new Error('The gateway forgot the session and did not begin another.');
      const headers = { ...MEDIA, ...sessionHeaders(session) };
      (await this.#pipe.send({ verb: 'POST', headers, body: INITIALIZED })).resume();
      return session;
    });
    this.#session.then(() => this.#initialized && this.#begin()).catch(() => undefined);
  }

  async #post(body: Buffer): Promise<IncomingMessage> {
    for (let attempt = 0; ; attempt += 1) {
      const current = this.#session;
      if (current === undefined) return this.#pipe.send({ verb: 'POST', headers: MEDIA, body });
      const headers = { ...MEDIA, ...sessionHeaders(await current) };
      const response = await this.#pipe.send({ verb: 'POST', headers, body, signal: this.#closing.signal });
      if (response.statusCode !== 404 || attempt > 0) return response;
      // 404 means that the message was not looked at: sending it again does nothing twice
      this.#again(current, response);
    }
  }

  // ---- answers ---------------------------------------------------------------------------------------------

  async #take(line: Request, response: IncomingMessage): Promise<void> {
    if (isStream(response)) return this.#follow(line, response);
    const body = await bodyOf(response);
    await this.#pipe.write(response.statusCode === 200 ? body : refusal(line.id, body, response.statusCode ?? 0));
  }

  /** A stream that breaks before the answer came goes on where it stopped. */
  async #follow(line: Request, first: IncomingMessage): Promise<void> {
    const place: Place = { lastEventId: undefined, retry: 1000 };
    let answered = false;
    const write = (json: Buffer): void | Promise<void> => {
      answered ||= answeredId(json) === line.id;
      return this.#pipe.write(json);
    };
    let response: IncomingMessage | undefined = first;
    while (response?.statusCode === 200 && isStream(response)) {
      await this.#read(response, place, write);
      if (answered || this.#closing.signal.aborted) return;
      response = place.lastEventId === undefined ? undefined : await this.#resume(place);
    }
    response?.resume();
    throw new Error(LOST);
  }

  async #read(response: IncomingMessage, place: Place, message: (json: Buffer) => void | Promise<void>): Promise<void> {
    const id = (given: string): void => void (place.lastEventId = given);
    const retry = (milliseconds: number): void => void (place.retry = milliseconds);
    // a break is not an error here: what is missing is asked for
    await readEvents(response, { message, id, retry }).catch(() => undefined);
  }

  async #resume(place: Place): Promise<IncomingMessage | undefined> {
    await after(place.retry, undefined, { signal: this.#closing.signal });
    const session = await this.#session;
    if (session === undefined) return undefined;
    const headers: Record<string, string> = { accept: 'text/event-stream', ...sessionHeaders(session) };
    if (place.lastEventId !== undefined) headers['last-event-id'] = place.lastEventId;
    return this.#pipe.peek({ verb: 'GET', headers, signal: this.#closing.signal });
  }

  // ---- the standing stream -----------------------------------------------------------------------------------

  #begin(): void {
    this.#initialized = true;
    const mine = this.#session;
    if (mine !== undefined) void this.#stand(mine).catch(() => undefined);
  }

  /** News and asks that belong to no request, for as long as this session is the one in use. */
  async #stand(mine: Promise<Session>): Promise<void> {
    const place: Place = { lastEventId: undefined, retry: 0 };
    while (this.#session === mine && !this.#closing.signal.aborted) {
      const response = await this.#resume(place);
      if (response?.statusCode === 404) return this.#again(mine, response);
      if (response?.statusCode === 200) await this.#read(response, place, (json) => this.#pipe.write(json));
      // a gateway that was stopped stays stopped until the agent wants something; it is only looked for now and then
      else place.retry = Math.min(LONGEST, Math.max(1000, place.retry * 2));
      response?.resume();
    }
  }
}

function sessionHeaders({ id, version }: Session): Record<string, string> {
  return id === '' ? {} : { 'mcp-session-id': id, 'mcp-protocol-version': version };
}
