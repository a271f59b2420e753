/** For tests: servers that answer from a script, and exchanges of agents that ask about them. */
import { isObject, type Doc, type Json, type JsonObject } from '../gateway/document.ts';
import type { Endpoint, Era, Exchange, Message } from '../gateway/exchange.ts';
import { methodRow } from '../gateway/methods.ts';
import {
  UpstreamFault,
  type Hop,
  type Log,
  type Outlet,
  type ServerSettings,
  type Upstreams,
} from '../gateway/ports.ts';
import { principalKey } from '../gateway/principal.ts';
import { PASS } from '../gateway/verdict.ts';
import { manualClock } from '../lib/clock.ts';
import { parseJson } from '../mcp/codec/json.ts';
import { openCatalog, type CatalogDeps, type OpenedCatalog } from './catalog.ts';
import type { DefinitionStore, ShownDefinition } from './keeping.ts';

export interface Script {
  era?: Era;
  capabilities?: JsonObject;
  serverInfo?: JsonObject;
  instructions?: string;
  /** Result (as JSON text or value) or fault of a request. */
  answer?: (method: string, params: JsonObject, hop: Hop) => Json | string | Promise<Json | string>;
  /** Rejects every connection. */
  down?: boolean;
  /** Connections wait for this. */
  start?: Promise<void>;
}

export interface Asked {
  readonly server: string;
  readonly method: string;
  readonly params: JsonObject;
}

export class ScriptedUpstreams implements Upstreams {
  readonly asked: Asked[] = [];
  readonly notified: { server: string; method: string }[] = [];
  readonly scripts: Record<string, Script>;
  readonly #settings: ReadonlyMap<string, ServerSettings>;
  readonly #surfaces = new Map<string, Awaited<ReturnType<Upstreams['surface']>>>();
  readonly #listeners: Parameters<Upstreams['onNews']>[0][] = [];

  constructor(scripts: Record<string, Script>, settings: readonly ServerSettings[]) {
    this.scripts = scripts;
    this.#settings = new Map(settings.map((one) => [one.name, one]));
  }

  key(server: string, hop: Hop): string {
    const isolation = this.#settings.get(server)?.isolation ?? 'session';
    if (isolation === 'shared') return server;
    return principalKey(server, hop.principal.key, isolation === 'session' ? hop.session : undefined);
  }

  async surface(server: string, hop: Hop): ReturnType<Upstreams['surface']> {
    const script = this.scripts[server] ?? {};
    await script.start;
    if (script.down === true) throw new UpstreamFault('upstream_unavailable', 'connection refused');
    const key = this.key(server, hop);
    const made = this.#surfaces.get(key) ?? surfaceOf(script);
    this.#surfaces.set(key, made);
    return made;
  }

  async request(server: string, hop: Hop, method: string, params: JsonObject): Promise<Doc> {
    this.asked.push({ server, method, params });
    const answer = await this.scripts[server]?.answer?.(method, params, hop);
    if (answer === undefined) throw methodNotFound();
    const result = typeof answer === 'string' ? answer : JSON.stringify(answer);
    return docOf(`{"jsonrpc":"2.0","id":1,"result":${result}}`);
  }

  notify(server: string, _hop: Hop, method: string): void {
    this.notified.push({ server, method });
  }

  news(server: string, hop: Hop, method: string): void {
    for (const listener of this.#listeners) listener(server, this.key(server, hop), method, undefined);
  }

  /** The next connection is another one. */
  reconnect(): void {
    this.#surfaces.clear();
  }

  count(method: string): number {
    return this.asked.filter((one) => one.method === method).length;
  }

  onNews(listener: Parameters<Upstreams['onNews']>[0]): void {
    this.#listeners.push(listener);
  }

  open(): never {
    throw new Error('the catalog opens no exchange at a server');
  }

  attach(): never {
    throw new Error('the catalog does not listen');
  }

  forget(): void {}
  status(): [] {
    return [];
  }
  async reload(): Promise<void> {}
  async close(): Promise<void> {}
}

export function methodNotFound(): UpstreamFault {
  return new UpstreamFault('upstream_unavailable', 'error -32601', { code: -32601, message: 'Method not found' });
}

function surfaceOf(script: Script): Awaited<ReturnType<Upstreams['surface']>> {
  const { era = 'legacy', capabilities = { tools: { listChanged: true } }, serverInfo, instructions } = script;
  const version = era === 'modern' ? '2026-07-28' : '2025-11-25';
  return { era, version, capabilities, serverInfo, instructions, doc: docOf('{}') };
}

export function settingsOf(name: string, more: Partial<ServerSettings> = {}): ServerSettings {
  const transport = { kind: 'http', url: 'http://127.0.0.1:1', legacySse: false, headers: {}, tls: undefined } as const;
  return { name, transport, isolation: 'shared', era: 'auto', deadline: 5_000, idle: 60_000, concurrency: 8, ...more };
}

export function docOf(text: string): Doc {
  const parsed = parseJson(Buffer.from(text), { bytes: 64 * 1024 * 1024, depth: 200 });
  if (!parsed.ok) throw new Error(`the script is not JSON: ${parsed.detail}`);
  return parsed.doc;
}

export class MemoryStore implements DefinitionStore {
  readonly seen: { tenant: string; server: string; shown: readonly ShownDefinition[] }[] = [];
  broken = false;

  async see(tenant: string, server: string, shown: readonly ShownDefinition[]): Promise<void> {
    if (this.broken) throw new Error('disk full');
    this.seen.push({ tenant, server, shown });
  }

  async current(tenant: string, server: string, kind: 'server', name: string): Promise<ShownDefinition | undefined> {
    if (this.broken) throw new Error('disk full');
    return this.#of(tenant, server).findLast((one) => one.kind === kind && one.name === name);
  }

  async all(tenant: string, server: string): ReturnType<DefinitionStore['all']> {
    return this.#of(tenant, server).map((one) => ({ ...one, ordinal: 1, firstSeen: 1, lastSeen: 2 }));
  }

  #of(tenant: string, server: string): ShownDefinition[] {
    return this.seen.filter((one) => one.tenant === tenant && one.server === server).flatMap(({ shown }) => shown);
  }
}

export interface World {
  readonly catalog: OpenedCatalog;
  readonly upstreams: ScriptedUpstreams;
  readonly store: MemoryStore;
  readonly clock: ReturnType<typeof manualClock>;
  readonly warnings: string[];
}

export type WorldOptions = Partial<CatalogDeps> & {
  settings?: (name: string) => Partial<ServerSettings>;
  memory?: MemoryStore;
};

export async function world(scripts: Record<string, Script>, options: WorldOptions = {}): Promise<World> {
  const { settings, memory: store = new MemoryStore(), ...deps } = options;
  const servers = Object.keys(scripts).map((name) => settingsOf(name, settings?.(name)));
  const upstreams = new ScriptedUpstreams(scripts, servers);
  const clock = manualClock();
  const warnings: string[] = [];
  const catalog = await openCatalog({
    servers,
    upstreams,
    store,
    tenant: 't',
    clock,
    log: logInto(warnings),
    gateway: { name: 'sallyport', version: '9.9.9' },
    versions: ['2026-07-28', '2025-11-25'],
    openTask: () => undefined,
    sealTask: (_exchange, server, task) => `sealed:${server}:${task}`,
    ...deps,
  });
  return { catalog, upstreams, store, clock, warnings };
}

function logInto(warnings: string[]): Log {
  const note = (fields: object, message: string): void => void warnings.push(`${message} ${JSON.stringify(fields)}`);
  return { debug: () => undefined, info: () => undefined, warn: note, error: note };
}

export const JOINT: Endpoint = { kind: 'joint' };

export function only(server: string): Endpoint {
  return { kind: 'server', server };
}

export interface Asking {
  readonly endpoint?: Endpoint;
  readonly era?: Era;
  readonly who?: string;
  readonly session?: string;
}

export function exchangeOf(method: string, params: Json = {}, asking: Asking = {}): Exchange {
  const { endpoint = JOINT, era = 'modern', who = 'alice', session } = asking;
  const row = methodRow('agent', method);
  if (row === undefined) throw new Error(`${method} has no row`);
  const doc = docOf(JSON.stringify({ jsonrpc: '2.0', id: 7, method, params }));
  return {
    id: 'x1',
    parent: undefined,
    resumes: undefined,
    row,
    principal: {
      key: principalKey('t', 'test', who, undefined),
      tenant: 't',
      issuer: 'test',
      subject: who,
      agent: undefined,
      person: who,
      groups: [],
      chain: [],
      proof: { use: 'test', strength: 'bearer' },
      expires: undefined,
    },
    endpoint,
    era,
    version: era === 'modern' ? '2026-07-28' : '2025-11-25',
    requestId: '7',
    session,
    caps: {},
    clientInfo: undefined,
    progressToken: undefined,
    logLevel: undefined,
    opening: { kind: 'opening', method, doc, payload: 'params' },
    run: 'r1',
    opened: 0,
    deadline: Date.UTC(2026, 0, 1) + 30_000,
    trail: [{ stage: 'read', verdict: PASS }],
    epoch: 1,
    target: { of: 'gateway' },
    state: 'open',
  };
}

export type Told =
  | { readonly result: JsonObject; readonly message: Message }
  | { readonly reason: string; readonly detail: string };

/** What the catalog tells the agent. */
export function ask(catalog: OpenedCatalog, exchange: Exchange): Promise<Told> {
  const { promise, resolve, reject } = Promise.withResolvers<Told>();
  const outlet: Outlet = {
    event: () => reject(new Error('an event')),
    ask: () => reject(new Error('an ask')),
    fail: (reason, detail) => resolve({ reason, detail }),
    close: (message) => {
      const { value } = message.doc;
      const result = isObject(value) ? value['result'] : undefined;
      if (isObject(result)) resolve({ result, message });
      else reject(new Error('no result'));
    },
  };
  catalog.open(exchange, outlet, undefined);
  return promise;
}

export async function resultOf(catalog: OpenedCatalog, exchange: Exchange): Promise<JsonObject> {
  const told = await ask(catalog, exchange);
  if ('reason' in told) throw new Error(`refused: ${told.reason}: ${told.detail}`);
  return told.result;
}

export async function reasonOf(catalog: OpenedCatalog, exchange: Exchange): Promise<string> {
  const told = await ask(catalog, exchange);
  return 'reason' in told ? told.reason : 'answered';
}

/** Names in a list result. */
export function names(result: JsonObject, member: string, key = 'name'): unknown[] {
  const items = result[member];
  return Array.isArray(items) ? items.map((item) => (isObject(item) ? item[key] : undefined)) : [];
}

export function toolList(...list: string[]): Json {
  return { tools: list.map((name) => ({ name, inputSchema: { type: 'object' } })) };
}
