/**
 * Which message of a server belongs to which call. Answers find their call by the gateway's own id, progress by the
 * gateway's own token, everything else by the stream that carried it; what fits nowhere is dropped and counted, and
 * never handed to somebody else (law 10).
 */
import type { Doc, Json } from '../../gateway/document.ts';
import { isObject } from '../../gateway/document.ts';
import type { Exchange, Id, Message } from '../../gateway/exchange.ts';
import { methodRow } from '../../gateway/methods.ts';
import type { Grant, Log, Outlet } from '../../gateway/ports.ts';
import { reasonText } from '../../gateway/reasons.ts';
import type { Reason } from '../../gateway/reasons.ts';
import type { Deny } from '../../gateway/verdict.ts';
import { idAt, readMessage, writeError, writeResult } from '../codec/envelope.ts';
import { parseJson, splice } from '../codec/json.ts';
import type { JsonLimits } from '../codec/json.ts';
import type { Call, ConnectionEvents, Sink } from './connection.ts';

export interface SwitchboardHooks extends Pick<ConnectionEvents, 'news' | 'standing'> {
  /** Sends the answer to a request of the server. */
  readonly reply: (json: Buffer, grant: Grant | undefined) => void;
  readonly log: Log;
  readonly server: string;
}

interface Parent {
  readonly outlet: Outlet;
  readonly grant: Grant | undefined;
}

export const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId';
const METHOD_NOT_FOUND = -32601;
/** Events of one call that may wait for its agent before a connection that others share as well is paused. */
const MOST_WAITING = 256;
/** Milliseconds, all pauses together, for which one call may have a shared connection paused. */
const MOST_STALLED = 2000;

/** A server may have so many questions open on one connection; more would be a flood. */
const MOST_ASKS = 64;

const NEWS: ReadonlySet<string> = new Set([
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
  'notifications/tasks/status',
  'notifications/tasks',
]);

export class Switchboard {
  readonly #limits: JsonLimits;
  readonly #hooks: SwitchboardHooks;
  readonly #calls = new Map<Id, Call>();
  readonly #asks = new Map<Id, Parent>();
  /** Whether servers of this era may ask; unknown, hence true, until the handshake. */
  asking = true;
  #last = 0;
  #dropped = 0;

  constructor(limits: JsonLimits, hooks: SwitchboardHooks) {
    this.#limits = limits;
    this.#hooks = hooks;
  }

  /** Messages that belonged to nobody. */
  get dropped(): number {
    return this.#dropped;
  }

  call(method: string, sink: Sink, exchange: Exchange | undefined, grant: Grant | undefined): Call {
    const id = String(++this.#last);
    const call: Call = {
      id,
      method,
      exchange,
      sink,
      grant,
      open: true,
      waiting: 0,
      stalled: 0,
      stalling: false,
      abort: undefined,
    };
    this.#calls.set(id, call);
    return call;
  }

  /** Forgets a call: whatever still comes for it is late. */
  forget(call: Call): boolean {
    if (!call.open) return false;
    call.open = false;
    return this.#calls.delete(call.id);
  }

  fail(call: Call, reason: Reason, detail: string): void {
    if (this.forget(call)) call.sink.fail(reason, detail);
  }

  failAll(reason: Reason, detail: string): void {
    this.#asks.clear();
    for (const call of this.#calls.values()) {
      call.abort?.();
      this.fail(call, reason, detail);
    }
  }

  /** `carrier` is the call on whose own stream the message came. A promise means: read on when it settles. */
  receive(bytes: Buffer, carrier: Call | undefined): void | Promise<void> {
    const read = readMessage(bytes, this.#limits);
    if (!read.ok) return this.#unreadable(read.detail, read.id, carrier);
    const { doc, envelope } = read;
    switch (envelope.kind) {
      case 'result':
        return this.#answered(doc, envelope.id, 'result', carrier);
      case 'error':
        return this.#answered(doc, envelope.id, 'error', carrier);
      case 'request':
        return this.#asked(doc, envelope.id, envelope.method, carrier);
      case 'notification':
        return this.#notified({ kind: 'event', method: envelope.method, doc, payload: 'params' }, carrier);
    }
  }

  /** Something came that is too large to be read; `carrier` as in `receive`. */
  oversize(detail: string, carrier: Call | undefined): void {
    const call = carrier ?? this.#onlyCall();
    if (call === undefined) this.#drop('too large a message of a server belongs to no single call', detail);
    else this.fail(call, 'upstream_too_large', detail);
  }

  #answered(doc: Doc, id: Id | undefined, payload: 'result' | 'error', carrier: Call | undefined): void {
    if (id === undefined) return this.#unreadable('an error without the id of its request', undefined, carrier);
    const call = this.#calls.get(id);
    if (call === undefined) return this.#drop('late, doubled or unknown answer', id);
    if (carrier !== undefined && carrier !== call) return this.#drop('an answer on the stream of another call', id);
    this.forget(call);
    call.sink.close({ kind: 'closing', method: call.method, doc, payload });
  }

  #asked(doc: Doc, id: Id, method: string, carrier: Call | undefined): void {
    const { reply } = this.#hooks;
    if (!this.asking) return this.#drop('a request of a server, in an era without them', method);
    if (method === 'ping') return reply(Buffer.from(writeResult(id, '{}')), carrier?.grant);
    if (this.#asks.has(id)) return this.#drop('a request of a server with an id in use', id);
    const parent = methodRow('server', method)?.wire === 'request' ? this.#parentOf(carrier) : undefined;
    if (parent === undefined || this.#asks.size >= MOST_ASKS) return reply(notAsked(id), carrier?.grant);
    this.#asks.set(id, parent);
    parent.outlet.ask({ kind: 'opening', method, doc, payload: 'params' }, (answer) => {
      if (this.#asks.delete(id)) reply(answerBytes(answer, id), parent.grant);
    });
  }

  #notified(message: Message, carrier: Call | undefined): void | Promise<void> {
    const { method, doc } = message;
    if (methodRow('server', method)?.wire !== 'notification') return this.#drop('unknown notification', method);
    if (method === 'notifications/progress') return this.#progressed(message, carrier);
    if (method === 'notifications/cancelled') return this.#cancelled(message);
    const listen = this.#listenOf(doc);
    if (listen !== undefined) return listen.sink.event(message);
    if (NEWS.has(method)) return this.#hooks.news(message);
    const owner = this.#ownerOf(carrier);
    return owner === undefined ? this.#hooks.news(message) : this.#deliver(owner, message, carrier);
  }

  #progressed(message: Message, carrier: Call | undefined): void | Promise<void> {
    const call = this.#callNamed(idAt(message.doc, ['params', 'progressToken']));
    const token = call?.exchange?.progressToken;
    if (call === undefined || token === undefined) return this.#drop('progress nobody asked for', message.method);
    if (carrier !== undefined && carrier !== call) return this.#drop('progress on the stream of another call', call.id);
    const bytes = splice(message.doc, [{ op: 'replace', path: ['params', 'progressToken'], json: token }]);
    const parsed = parseJson(bytes, this.#limits);
    if (!parsed.ok) return this.#drop('progress too large with its own token', parsed.detail);
    return this.#deliver(call, { ...message, doc: parsed.doc }, carrier);
  }

  /** A server may take back what it asked (every era but the modern), or end a listen stream (modern, stdio). */
  #cancelled(message: Message): void | Promise<void> {
    const id = idAt(message.doc, ['params', 'requestId']);
    const parent = id === undefined ? undefined : this.#asks.get(id);
    if (id !== undefined && parent !== undefined) {
      this.#asks.delete(id);
      return parent.outlet.event(message);
    }
    const call = this.#callNamed(id);
    if (call?.method === 'subscriptions/listen') return this.fail(call, 'upstream_lost', 'the server ended the stream');
    return this.#drop('a cancellation of nothing', message.method);
  }

  #deliver(call: Call, message: Message, carrier: Call | undefined): void | Promise<void> {
    const taken = call.sink.event(message);
    if (taken === undefined) return undefined;
    if (carrier !== undefined) return taken;
    const settle = () => void call.waiting--;
    taken.then(settle, settle);
    return ++call.waiting > MOST_WAITING && !call.stalling ? this.#pausedFor(call, taken) : undefined;
  }

  /** A burst is waited out; an agent that reads slowly for long must not stop the pipe that it shares with others. */
  #pausedFor(call: Call, taken: Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const since = performance.now();
    call.stalling = true;
    const late = () => {
      this.fail(call, 'upstream_too_large', `more than ${MOST_WAITING} events wait for the agent to read`);
      resolve();
    };
    const timer = setTimeout(late, Math.max(0, MOST_STALLED - call.stalled));
    const done = () => {
      clearTimeout(timer);
      call.stalling = false;
      call.stalled += performance.now() - since;
      resolve();
    };
    taken.then(done, done);
    return promise;
  }

  #unreadable(detail: string, id: Id | undefined, carrier: Call | undefined): void {
    const call = carrier ?? this.#callNamed(id) ?? this.#onlyCall();
    if (call === undefined) this.#drop('unreadable message', detail);
    else this.fail(call, 'upstream_garbage', detail);
  }

  #parentOf(carrier: Call | undefined): Parent | undefined {
    const call = this.#ownerOf(carrier);
    if (call !== undefined) return { outlet: call.sink, grant: call.grant };
    const standing = carrier === undefined && !this.#busy() ? this.#hooks.standing() : undefined;
    return standing && { outlet: standing.outlet, grant: undefined };
  }

  /** The exchange's call on whose stream a message came; without such a stream, the only one that is open. */
  #ownerOf(carrier: Call | undefined): Call | undefined {
    if (carrier !== undefined) return carrier.exchange !== undefined && carrier.open ? carrier : undefined;
    const call = this.#onlyCall();
    return call?.exchange === undefined ? undefined : call;
  }

  /** Listens are nobody's work; with two calls of any other kind it would be a guess. */
  #onlyCall(): Call | undefined {
    let only: Call | undefined;
    for (const call of this.#calls.values()) {
      if (call.method === 'subscriptions/listen') continue;
      if (only !== undefined) return undefined;
      only = call;
    }
    return only;
  }

  #busy(): boolean {
    for (const call of this.#calls.values()) if (call.exchange !== undefined) return true;
    return false;
  }

  #callNamed(id: Id | undefined): Call | undefined {
    return id === undefined ? undefined : this.#calls.get(id);
  }

  #listenOf(doc: Doc): Call | undefined {
    const call = this.#callNamed(idAt(doc, ['params', '_meta', SUBSCRIPTION_ID]));
    return call?.method === 'subscriptions/listen' ? call : undefined;
  }

  #drop(what: string, detail: string): void {
    this.#dropped++;
    this.#hooks.log.debug({ server: this.#hooks.server, what, detail: detail.slice(0, 200) }, 'message dropped');
  }
}

function notAsked(id: Id): Buffer {
  return Buffer.from(writeError(id, METHOD_NOT_FOUND, reasonText('ask_not_possible').tell));
}

function answerBytes(answer: Message | Deny, id: Id): Buffer {
  if ('doc' in answer) return splice(answer.doc, [{ op: 'set', path: ['id'], json: id }]);
  const { code, tell } = reasonText(answer.reason);
  const data = answer.data === undefined ? undefined : JSON.stringify(answer.data);
  return Buffer.from(writeError(id, code, answer.tell ?? tell, data));
}

/** A string as it is, anything else as no text. */
export function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** Own member of an object, whatever the value is. */
export function member(value: Json | undefined, name: string): Json | undefined {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
