/** One listen stream for everybody on a connection: opened with the union of what they want, again whenever it is lost. */
import type { Json, JsonObject } from '../../gateway/document.ts';
import type { Message } from '../../gateway/exchange.ts';
import type { ListenFilter } from '../../gateway/ports.ts';
import { UpstreamFault } from '../../gateway/ports.ts';
import { NOTHING } from './connection.ts';
import type { Call, Sink } from './connection.ts';
import { member, text } from './switchboard.ts';

export interface ListenDeps {
  start(params: JsonObject, sink: Sink): Call;
  stop(call: Call): void;
  news(message: Message): void | Promise<void>;
  /** Milliseconds until the server must have acknowledged. */
  readonly patience: number;
}

type Waiter = PromiseWithResolvers<ListenFilter>;

const FIRST_MS = 500;
const LONGEST_MS = 30_000;

export class Listening {
  readonly #deps: ListenDeps;
  #wanted: ListenFilter = NOTHING;
  #call: Call | undefined;
  #waiter: Waiter | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #ended = false;

  constructor(deps: ListenDeps) {
    this.#deps = deps;
  }

  /** Resolves with what the server acknowledged. The old stream stays until the new one is in force. */
  want(filter: ListenFilter): Promise<ListenFilter> {
    this.#wanted = filter;
    clearTimeout(this.#timer);
    if (this.#ended) return Promise.resolve(NOTHING);
    if (isNothing(filter)) {
      this.#stop('nobody listens any more');
      return Promise.resolve(NOTHING);
    }
    return this.#open();
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#stop('the connection was ended');
  }

  #stop(why: string): void {
    if (this.#call !== undefined) this.#deps.stop(this.#call);
    this.#call = undefined;
    this.#waiter?.reject(new UpstreamFault('upstream_lost', `subscriptions/listen: ${why}`));
  }

  #open(): Promise<ListenFilter> {
    const waiter = Promise.withResolvers<ListenFilter>();
    const [call, waiting] = [this.#call, this.#waiter];
    this.#waiter = waiter;
    const late = setTimeout(() => waiter.reject(this.#notHeard()), this.#deps.patience);
    const opened: Call = this.#deps.start(
      { notifications: asJson(this.#wanted) },
      this.#sink(waiter, () => opened),
    );
    if (opened.open) this.#call = opened;
    const done = () => {
      clearTimeout(late);
      if (call !== undefined) this.#deps.stop(call);
    };
    waiter.promise.then(done, done);
    // who waited for the stream before is told what the new one honours
    if (waiting !== undefined) waiter.promise.then(waiting.resolve, waiting.reject);
    return waiter.promise;
  }

  #sink(waiter: Waiter, call: () => Call): Sink {
    return {
      event: (message) => this.#event(message, waiter),
      ask: () => undefined,
      // an error: not offered here. A result: the server ends the stream in due form
      close: (message) => {
        if (message.payload === 'error') return waiter.resolve(NOTHING);
        this.#lost(call, waiter, 'the server ended the stream');
      },
      fail: (_reason, detail) => this.#lost(call, waiter, detail),
    };
  }

  #event(message: Message, waiter: Waiter): void | Promise<void> {
    if (message.method !== 'notifications/subscriptions/acknowledged') return this.#deps.news(message);
    this.#failures = 0;
    waiter.resolve(asFilter(member(member(message.doc.value, 'params'), 'notifications')));
  }

  #lost(call: () => Call, waiter: Waiter, detail: string): void {
    waiter.reject(new UpstreamFault('upstream_lost', `subscriptions/listen: ${detail}`));
    // a stream that was replaced already is not missed; one that failed while it was being sent is
    queueMicrotask(() => {
      if (this.#ended || (this.#call !== undefined && this.#call !== call())) return;
      this.#call = undefined;
      const delay = Math.min(FIRST_MS * 2 ** this.#failures++, LONGEST_MS);
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#again(), delay);
    });
  }

  #again(): void {
    if (!this.#ended && !isNothing(this.#wanted)) this.#open().catch(() => undefined);
  }

  #notHeard(): UpstreamFault {
    return new UpstreamFault('deadline_passed', 'subscriptions/listen: not acknowledged in time');
  }
}

export function isNothing(filter: ListenFilter): boolean {
  const flags = filter.toolsListChanged || filter.promptsListChanged || filter.resourcesListChanged;
  return !flags && filter.resourceSubscriptions.length === 0 && filter.taskIds.length === 0;
}

export function union(filters: readonly ListenFilter[]): ListenFilter {
  return {
    toolsListChanged: filters.some((filter) => filter.toolsListChanged),
    promptsListChanged: filters.some((filter) => filter.promptsListChanged),
    resourcesListChanged: filters.some((filter) => filter.resourcesListChanged),
    resourceSubscriptions: [...new Set(filters.flatMap((filter) => filter.resourceSubscriptions))],
    taskIds: [...new Set(filters.flatMap((filter) => filter.taskIds))],
  };
}

export function common(one: ListenFilter, other: ListenFilter): ListenFilter {
  return {
    toolsListChanged: one.toolsListChanged && other.toolsListChanged,
    promptsListChanged: one.promptsListChanged && other.promptsListChanged,
    resourcesListChanged: one.resourcesListChanged && other.resourcesListChanged,
    resourceSubscriptions: one.resourceSubscriptions.filter((uri) => other.resourceSubscriptions.includes(uri)),
    taskIds: one.taskIds.filter((id) => other.taskIds.includes(id)),
  };
}

/** Whether a listener wants this notification. URIs are compared exactly. */
export function wants(filter: ListenFilter, method: string, params: Json | undefined): boolean {
  switch (method) {
    case 'notifications/tools/list_changed':
      return filter.toolsListChanged;
    case 'notifications/prompts/list_changed':
      return filter.promptsListChanged;
    case 'notifications/resources/list_changed':
      return filter.resourcesListChanged;
    case 'notifications/resources/updated':
      return filter.resourceSubscriptions.includes(text(member(params, 'uri')));
    case 'notifications/tasks':
    case 'notifications/tasks/status':
      return filter.taskIds.includes(text(member(params, 'taskId')));
    default:
      return false;
  }
}

/** Only what is wanted is named: a server may refuse members that it does not know. */
function asJson(filter: ListenFilter): JsonObject {
  const json: JsonObject = {};
  if (filter.toolsListChanged) json['toolsListChanged'] = true;
  if (filter.promptsListChanged) json['promptsListChanged'] = true;
  if (filter.resourcesListChanged) json['resourcesListChanged'] = true;
  if (filter.resourceSubscriptions.length > 0) json['resourceSubscriptions'] = [...filter.resourceSubscriptions];
  if (filter.taskIds.length > 0) json['taskIds'] = [...filter.taskIds];
  return json;
}

function asFilter(json: Json | undefined): ListenFilter {
  return {
    toolsListChanged: member(json, 'toolsListChanged') === true,
    promptsListChanged: member(json, 'promptsListChanged') === true,
    resourcesListChanged: member(json, 'resourcesListChanged') === true,
    resourceSubscriptions: strings(member(json, 'resourceSubscriptions')),
    taskIds: strings(member(json, 'taskIds')),
  };
}

function strings(json: Json | undefined): readonly string[] {
  return Array.isArray(json) ? json.filter((item) => typeof item === 'string') : [];
}
