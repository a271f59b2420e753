/** Requests that concern every server of an endpoint: each is asked in parallel, each with its own deadline. */
import type { JsonObject } from '../gateway/document.ts';
import type { Exchange } from '../gateway/exchange.ts';
import type { Clock, Log, Upstreams } from '../gateway/ports.ts';
import { answered, failed, methodUnknown, resultMessage, type Answer } from './answer.ts';
import { own } from './kinds.ts';
import { hasCursor } from './lists.ts';
import { everyTask, type SealedTask, type SealTask } from './tasks.ts';
import type { View } from './view.ts';
import type { Views } from './views.ts';

export interface MergeDeps {
  readonly views: Views;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly log: Log;
  readonly sealTask: SealTask;
}

/** RFC 5424 severities, as 2025-11-25 server/utilities/logging names them. */
const LEVELS: ReadonlySet<unknown> = new Set([
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
]);

export class Merge {
  readonly #deps: MergeDeps;

  constructor(deps: MergeDeps) {
    this.#deps = deps;
  }

  /** Undefined: nothing is to be told (a notification), or the method is none of these. */
  answer(exchange: Exchange, servers: readonly string[]): Promise<Answer> | Answer | undefined {
    switch (exchange.row.method) {
      case 'logging/setLevel':
        return this.#setLevel(exchange, servers);
      case 'tasks/list':
        return this.#listTasks(exchange, servers);
      case 'notifications/roots/list_changed':
        return this.#rootsChanged(exchange, servers);
      default:
        return undefined;
    }
  }

  /** Servers that are not connected yet learn the level when they are: it is part of the hop. */
  async #setLevel(exchange: Exchange, servers: readonly string[]): Promise<Answer> {
    const level = own(own(exchange.opening.doc.value, 'params'), 'level');
    if (typeof level !== 'string' || !LEVELS.has(level)) return failed('params_invalid', 'no such log level');
    const logging = this.#connected(exchange, servers).filter((view) => legacyWith(view, 'logging'));
    await Promise.all(logging.map((view) => this.#quietly(view, exchange, 'logging/setLevel', { level })));
    return answered(resultMessage('logging/setLevel', [Buffer.from('{}')]));
  }

  async #listTasks(exchange: Exchange, servers: readonly string[]): Promise<Answer> {
    if (hasCursor(exchange)) {
      return failed('cursor_invalid', 'lists are handed out whole, so every cursor is foreign');
    }
    const views = this.#connected(exchange, servers).filter((view) => legacyWith(view, 'tasks'));
    if (views.length === 0) return methodUnknown(exchange);
    const lists = await Promise.all(views.map((view) => this.#tasksOf(view, exchange)));
    const pieces = lists.flat().flatMap((pieces, index) => (index === 0 ? pieces : [Buffer.from(','), ...pieces]));
    return answered(resultMessage('tasks/list', [Buffer.from('{"tasks":['), ...pieces, Buffer.from(']}')]));
  }

  #rootsChanged(exchange: Exchange, servers: readonly string[]): undefined {
    const { method } = exchange.row;
    for (const view of this.#connected(exchange, servers)) {
      if (view.surface?.era === 'legacy') this.#deps.upstreams.notify?.(view.settings.name, exchange, method, {});
    }
  }

  #connected(exchange: Exchange, servers: readonly string[]): View[] {
    return servers.flatMap((server) => this.#deps.views.find(server, exchange) ?? []);
  }

  async #tasksOf(view: View, exchange: Exchange): Promise<readonly SealedTask[]> {
    try {
      const ask = (params: JsonObject) => this.#ask(view, exchange, 'tasks/list', params);
      return await everyTask(exchange, view.settings.name, ask, this.#deps.sealTask);
    } catch (error) {
      this.#complain(view, 'tasks/list', error);
      return [];
    }
  }

  async #quietly(view: View, exchange: Exchange, method: string, params: JsonObject): Promise<void> {
    try {
      await this.#ask(view, exchange, method, params);
    } catch (error) {
      this.#complain(view, method, error);
    }
  }

  #ask(view: View, exchange: Exchange, method: string, params: JsonObject): ReturnType<Upstreams['request']> {
    const deadline = Math.min(exchange.deadline, this.#deps.clock.now() + view.settings.deadline);
    return this.#deps.upstreams.request(view.settings.name, exchange, method, params, deadline);
  }

  #complain(view: View, method: string, error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error);
    this.#deps.log.warn({ server: view.settings.name, method, detail }, 'a server does not take part');
  }
}

function legacyWith(view: View, capability: string): boolean {
  return view.surface?.era === 'legacy' && own(view.surface.capabilities, capability) !== undefined;
}
