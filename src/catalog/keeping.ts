/**
 * Every definition and surface that was seen goes to the store, with its history, off the way of those who asked for
 * it. What the store does not take is kept waiting within bounds and offered again; the gateway says so in its health.
 */
import { createHash } from 'node:crypto';
import type { Health } from '../gateway/component.ts';
import type { Clock, Log, ServerSurface } from '../gateway/ports.ts';
import type { Declared } from './definitions.ts';
import { digestOf } from './definitions.ts';
import { isObject, type JsonObject } from '../gateway/document.ts';
import { Lru } from '../lib/lru.ts';
import { own } from './kinds.ts';

/** The part of the store that the catalog uses (components/store `Definitions`). */
export interface DefinitionStore {
  see(tenant: string, server: string, shown: readonly ShownDefinition[]): Promise<unknown>;
  current(tenant: string, server: string, kind: 'server', name: string): Promise<{ readonly body: string } | undefined>;
  all(tenant: string, server: string): Promise<readonly StoredDefinition[]>;
}

export interface ShownDefinition {
  readonly kind: 'server' | 'tool' | 'prompt' | 'resource' | 'template';
  readonly name: string;
  readonly digest: string;
  readonly body: string;
}

export interface StoredDefinition extends ShownDefinition {
  readonly ordinal: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/** What is remembered of a server from one start of the gateway to the next. */
export type Remembered = Pick<ServerSurface, 'era' | 'version' | 'capabilities' | 'serverInfo' | 'instructions'>;

interface Batch {
  readonly tenant: string;
  readonly server: string;
  readonly shown: readonly ShownDefinition[];
  failures: number;
}

const BATCH = 500;
const MOST_WAITING = 200;
const MOST_OFFERED = 4_096;
const OFFERED_LATELY = 60_000;
/** A batch that fails so often is at fault itself; those behind it must not wait for ever. */
const MOST_FAILURES = 3;

export class Keeping {
  readonly #store: DefinitionStore;
  readonly #log: Log;
  readonly #clock: Clock;
  /** What was offered lately, by digest: a hundred sessions of one server see the same list. */
  readonly #offered = new Lru<string, number>(MOST_OFFERED);
  readonly #waiting: Batch[] = [];
  readonly #remembered = new Map<string, Remembered>();
  #writing: Promise<void> | undefined;
  #fault: string | undefined;
  #lost = 0;

  constructor(store: DefinitionStore, { log, clock }: { readonly log: Log; readonly clock: Clock }) {
    this.#store = store;
    this.#log = log;
    this.#clock = clock;
  }

  health(): Health {
    if (this.#lost > 0) return { state: 'degraded', detail: `${this.#lost} batches of definitions were not kept` };
    if (this.#fault !== undefined) return { state: 'degraded', detail: `definitions wait to be kept: ${this.#fault}` };
    return { state: 'live' };
  }

  /** Returns at once. The same list again within a minute is not written again. */
  offer(tenant: string, server: string, items: readonly Declared[]): void {
    if (items.length === 0 || this.#lately(tenant, server, items)) return;
    for (const shown of batches(items)) this.#queue({ tenant, server, shown, failures: 0 });
  }

  offerSurface(tenant: string, server: string, surface: ServerSurface): void {
    const remembered = rememberedOf(surface);
    this.#remembered.set(key(tenant, server), remembered);
    const body = Buffer.from(JSON.stringify(remembered));
    const digest = digestOf(body, JSON.parse(body.toString()) as JsonObject);
    if (digest === undefined || this.#lately(tenant, server, [{ kind: 'server', name: server, digest }])) return;
    this.#queue({
      tenant,
      server,
      shown: [{ kind: 'server', name: server, digest, body: body.toString() }],
      failures: 0,
    });
  }

  /** What the server said of itself when it was last seen by anybody of this tenant. */
  remembered(tenant: string, server: string): Remembered | undefined {
    return this.#remembered.get(key(tenant, server));
  }

  /** Reads what earlier starts have seen. A store that fails costs the memory, not the start. */
  async recall(tenant: string, servers: readonly string[]): Promise<void> {
    await Promise.all(servers.map((server) => this.#recallOne(tenant, server)));
  }

  stored(tenant: string, server: string): Promise<readonly StoredDefinition[]> {
    return this.#store.all(tenant, server);
  }

  /** Resolves when everything that waits was offered to the store once more. */
  async settle(): Promise<void> {
    await this.#writing;
    if (this.#waiting.length > 0) await this.#write();
  }

  #lately(
    tenant: string,
    server: string,
    items: readonly Pick<ShownDefinition, 'kind' | 'name' | 'digest'>[],
  ): boolean {
    const hash = createHash('sha256').update(JSON.stringify([tenant, server]));
    for (const { kind, name, digest } of items) hash.update(JSON.stringify([kind, name, digest]));
    const fingerprint = hash.digest('base64');
    const now = this.#clock.monotonic();
    const before = this.#offered.get(fingerprint);
    if (before !== undefined && now - before < OFFERED_LATELY) return true;
    this.#offered.set(fingerprint, now);
    return false;
  }

  async #recallOne(tenant: string, server: string): Promise<void> {
    try {
      const stored = await this.#store.current(tenant, server, 'server', server);
      const remembered = stored && readRemembered(stored.body);
      if (remembered !== undefined) this.#remembered.set(key(tenant, server), remembered);
    } catch (error) {
      this.#failed(error);
    }
  }

  #queue(batch: Batch): void {
    this.#waiting.push(batch);
    if (this.#waiting.length > MOST_WAITING) this.#lose(this.#waiting.splice(1, 1)[0]);
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
  }

  async #write(): Promise<void> {
    // what was asked for goes first: the list is on its way before the store is asked
    await new Promise(setImmediate);
    for (let batch = this.#waiting[0]; batch !== undefined; batch = this.#waiting[0]) {
      if (!(await this.#kept(batch))) return;
      this.#waiting.splice(this.#waiting.indexOf(batch), 1);
    }
  }

  /** False: stop for now, and try again when something new is offered. */
  async #kept(batch: Batch): Promise<boolean> {
    try {
      await this.#store.see(batch.tenant, batch.server, batch.shown);
      this.#fault = undefined;
      return true;
    } catch (error) {
      this.#failed(error);
      batch.failures += 1;
      if (batch.failures < MOST_FAILURES) return false;
      this.#lose(batch);
      return true;
    }
  }

  #failed(error: unknown): void {
    this.#fault = error instanceof Error ? error.message : String(error);
    this.#log.error({ detail: this.#fault }, 'the store does not keep definitions');
  }

  #lose(batch: Batch | undefined): void {
    if (batch === undefined) return;
    this.#lost += 1;
    this.#offered.clear();
    this.#log.error({ server: batch.server, definitions: batch.shown.length }, 'definitions were not kept');
  }
}

/** In batches of which none has the same kind and name twice: the store refuses an ambiguous listing. */
function batches(items: readonly Declared[]): ShownDefinition[][] {
  const made: ShownDefinition[][] = [];
  let names = new Set<string>();
  for (const { kind, name, digest, body } of items) {
    const last = made.at(-1);
    const shown = { kind, name, digest, body: body.toString('utf8') };
    if (last !== undefined && last.length < BATCH && !names.has(name)) last.push(shown);
    else {
      made.push([shown]);
      names = new Set();
    }
    names.add(name);
  }
  return made;
}

function rememberedOf({ era, version, capabilities, serverInfo, instructions }: ServerSurface): Remembered {
  return { era, version, capabilities, serverInfo, instructions };
}

function readRemembered(body: string): Remembered | undefined {
  const value = JSON.parse(body) as JsonObject;
  const { era, version, capabilities } = value;
  if ((era !== 'modern' && era !== 'legacy') || typeof version !== 'string' || !isObject(capabilities))
    return undefined;
  const serverInfo = own(value, 'serverInfo');
  const instructions = own(value, 'instructions');
  return {
    era,
    version,
    capabilities,
    serverInfo: isObject(serverInfo) ? serverInfo : undefined,
    instructions: typeof instructions === 'string' ? instructions : undefined,
  };
}

function key(tenant: string, server: string): string {
  return JSON.stringify([tenant, server]);
}
