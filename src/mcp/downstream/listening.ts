/**
 * `subscriptions/listen` of 2026-07-28 (basic/patterns/subscriptions): one acknowledgement of what the servers behind
 * the endpoint honour together, then their news, until the agent hangs up or the gateway stops.
 */
import { isObject } from '../../gateway/document.ts';
import type { Json, JsonObject } from '../../gateway/document.ts';
import type { Exchange, Message } from '../../gateway/exchange.ts';
import type { Answerer, Attachment, Catalog, Flight, ListenFilter, Outlet, Upstreams } from '../../gateway/ports.ts';
import { deny } from '../../gateway/verdict.ts';
import { serversInReach } from '../../gateway/reach.ts';
import { notificationMessage } from './local.ts';

export interface ListeningSettings {
  /** Milliseconds that the acknowledgement waits for servers. */
  readonly acknowledgeWithin: number;
  /** Listens that one principal may have open. */
  readonly perPrincipal: number;
  /** URIs that one listen may name. */
  readonly subscriptions: number;
}

export const LISTENING: ListeningSettings = { acknowledgeWithin: 2000, perPrincipal: 32, subscriptions: 1024 };

export interface ListeningDeps {
  readonly catalog: Pick<Catalog, 'servers'>;
  readonly upstreams: Pick<Upstreams, 'attach'>;
  /** The server that owns a URI in this caller's view; undefined: nobody, and the agent is not told of it. */
  readonly owner: (exchange: Exchange, uri: string) => string | undefined | Promise<string | undefined>;
  readonly listening?: ListeningSettings;
}

const NOTHING: Flight = { cancel() {} };

export function listening(deps: ListeningDeps): Answerer {
  const open = new Map<string, number>();
  const settings = deps.listening ?? LISTENING;
  return {
    open(exchange, outlet) {
      const filter = filterOf(exchange, settings);
      const { key } = exchange.principal;
      const count = open.get(key) ?? 0;
      if (typeof filter === 'string') outlet.fail('params_invalid', filter);
      else if (count >= settings.perPrincipal) outlet.fail('limit_reached', `${count} listens are open`);
      else return listen(exchange, outlet, filter, deps, settings, counted(open, key));
      return NOTHING;
    },
  };
}

/** Counts one listen in; the function returned counts it out, once. */
function counted(open: Map<string, number>, key: string): () => void {
  open.set(key, (open.get(key) ?? 0) + 1);
  let over = false;
  return () => {
    if (over) return;
    over = true;
    const left = (open.get(key) ?? 1) - 1;
    if (left > 0) open.set(key, left);
    else open.delete(key);
  };
}

function listen(
  exchange: Exchange,
  outlet: Outlet,
  filter: ListenFilter,
  deps: ListeningDeps,
  settings: ListeningSettings,
  over: () => void,
): Flight {
  const ear = new Ear(outlet);
  const attach = async (): Promise<void> => {
    const wanted = await perServer(exchange, filter, deps);
    if (ear.ended) return;
    for (const [server, part] of wanted)
      ear.attachments.push(deps.upstreams.attach(server, exchange, part, ear.outlet));
    ear.acknowledge(union(await honoured(ear.attachments, settings.acknowledgeWithin)));
  };
  void attach().catch((error: unknown) => {
    ear.end();
    over();
    outlet.fail('upstream_unavailable', String(error));
  });
  return {
    cancel() {
      ear.end();
      over();
    },
  };
}

/** List changes are asked of every server, updates of a resource only of the one that owns it. */
async function perServer(
  exchange: Exchange,
  filter: ListenFilter,
  deps: ListeningDeps,
): Promise<Map<string, ListenFilter>> {
  const wanted = new Map<string, ListenFilter>();
  for (const server of serversOf(exchange, deps))
    wanted.set(server, { ...filter, resourceSubscriptions: [], taskIds: [] });
  for (const uri of filter.resourceSubscriptions) {
    const server = await deps.owner(exchange, uri);
    const part = server === undefined ? undefined : wanted.get(server);
    if (part === undefined) continue;
    wanted.set(server!, { ...part, resourceSubscriptions: [...part.resourceSubscriptions, uri] });
  }
  for (const [server, part] of wanted) if (isEmpty(part)) wanted.delete(server);
  return wanted;
}

function serversOf({ target, endpoint, principal }: Exchange, { catalog }: ListeningDeps): readonly string[] {
  return target.of === 'servers' ? target.servers : serversInReach(principal, catalog.servers(endpoint) ?? []);
}

function isEmpty(filter: ListenFilter): boolean {
  const lists = filter.toolsListChanged || filter.promptsListChanged || filter.resourcesListChanged;
  return !lists && filter.resourceSubscriptions.length === 0;
}

/** A server that is late or gone honours nothing yet; it delays nobody for longer than the bound. */
async function honoured(attachments: readonly Attachment[], within: number): Promise<ListenFilter[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), within);
  });
  const answers = attachments.map((attachment) => Promise.race([attachment.honoured.catch(() => undefined), late]));
  const filters = await Promise.all(answers);
  clearTimeout(timer);
  return filters.filter((filter) => filter !== undefined);
}

function union(filters: readonly ListenFilter[]): ListenFilter {
  return {
    toolsListChanged: filters.some((filter) => filter.toolsListChanged),
    promptsListChanged: filters.some((filter) => filter.promptsListChanged),
    resourcesListChanged: filters.some((filter) => filter.resourcesListChanged),
    resourceSubscriptions: filters.flatMap((filter) => filter.resourceSubscriptions),
    taskIds: [],
  };
}

/** Pieces of news that wait for the acknowledgement. */
const EARLY = 256;

/** Between servers and the agent: nothing before the acknowledgement, nothing that was not acknowledged. */
class Ear {
  readonly attachments: Attachment[] = [];
  readonly outlet: Outlet;
  readonly #agent: Outlet;
  #acknowledged: ListenFilter | undefined;
  #early = new Map<string, Message>();
  ended = false;

  constructor(agent: Outlet) {
    this.#agent = agent;
    this.outlet = {
      event: (message) => this.#hear(message),
      // a listen has no requests, and the end of one server is not the end of the listen
      ask: (_message, answered) => answered(deny('ask_not_possible')),
      close: () => undefined,
      fail: () => undefined,
    };
  }

  acknowledge(filter: ListenFilter): void {
    if (this.ended) return;
    this.#acknowledged = filter;
    void this.#agent.event(acknowledgement(filter));
    for (const message of this.#early.values()) void this.#hear(message);
    this.#early.clear();
  }

  end(): void {
    this.ended = true;
    for (const attachment of this.attachments) attachment.close();
    this.#early.clear();
  }

  #hear(message: Message): void | Promise<void> {
    if (this.ended) return;
    if (this.#acknowledged === undefined) {
      // the same news twice is one piece of news
      if (this.#early.size < EARLY) this.#early.set(keyOf(message), message);
    } else if (asked(message, this.#acknowledged)) return this.#agent.event(message);
  }
}

function keyOf(message: Message): string {
  return `${message.method} ${uriOf(message) ?? ''}`;
}

function uriOf({ doc }: Message): string | undefined {
  const params = isObject(doc.value) ? doc.value['params'] : undefined;
  const uri = isObject(params) ? params['uri'] : undefined;
  return typeof uri === 'string' ? uri : undefined;
}

/** Servers MUST NOT send what was not asked for; they sometimes do. */
function asked(message: Message, filter: ListenFilter): boolean {
  switch (message.method) {
    case 'notifications/tools/list_changed':
      return filter.toolsListChanged;
    case 'notifications/prompts/list_changed':
      return filter.promptsListChanged;
    case 'notifications/resources/list_changed':
      return filter.resourcesListChanged;
    case 'notifications/resources/updated':
      return covers(filter.resourceSubscriptions, uriOf(message));
    default:
      return false;
  }
}

/** An update may name a part of the resource that was subscribed to (server/resources, "Subscriptions"). */
function covers(subscribed: readonly string[], uri: string | undefined): boolean {
  if (uri === undefined) return false;
  return subscribed.some((whole) => uri === whole || uri.startsWith(whole.endsWith('/') ? whole : `${whole}/`));
}

function acknowledgement(filter: ListenFilter): Message {
  const notifications: JsonObject = {};
  if (filter.toolsListChanged) notifications['toolsListChanged'] = true;
  if (filter.promptsListChanged) notifications['promptsListChanged'] = true;
  if (filter.resourcesListChanged) notifications['resourcesListChanged'] = true;
  if (filter.resourceSubscriptions.length > 0)
    notifications['resourceSubscriptions'] = [...filter.resourceSubscriptions];
  return notificationMessage('notifications/subscriptions/acknowledged', { notifications });
}

/** The filter of a listen, or what is wrong with it. */
function filterOf({ opening }: Exchange, settings: ListeningSettings): ListenFilter | string {
  const params = isObject(opening.doc.value) ? opening.doc.value['params'] : undefined;
  const wanted = isObject(params) ? params['notifications'] : undefined;
  if (!isObject(wanted)) return 'notifications is not an object';
  const uris = wanted['resourceSubscriptions'] ?? [];
  if (!isTexts(uris)) return 'resourceSubscriptions is not a list of strings';
  if (uris.length > settings.subscriptions) return `resourceSubscriptions names more than ${settings.subscriptions}`;
  for (const name of FLAGS) if (!isFlag(wanted[name])) return `${name} is not a boolean`;
  return {
    toolsListChanged: wanted['toolsListChanged'] === true,
    promptsListChanged: wanted['promptsListChanged'] === true,
    resourcesListChanged: wanted['resourcesListChanged'] === true,
    resourceSubscriptions: [...new Set(uris)],
    taskIds: [],
  };
}

const FLAGS = ['toolsListChanged', 'promptsListChanged', 'resourcesListChanged'] as const;

function isFlag(value: Json | undefined): boolean {
  return value === undefined || typeof value === 'boolean';
}

function isTexts(value: Json): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
