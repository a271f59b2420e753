/** A gateway that runs: asked for its state, given a new configuration, and ended in order. */
import { isDeepStrictEqual } from 'node:util';
import type { Rooms } from './compose.ts';
import type { Loaded } from './config/load.ts';
import { places } from './config/places.ts';
import { keep } from './gateway/house.ts';
import { followRevocations } from './joints.ts';
import { quietly } from './gateway/open-exchange.ts';
import { noticeRecord } from './gateway/records.ts';
import { makeParts } from './parts.ts';
import { coreSettings, rulesOf, tlsOf } from './settings.ts';
import { readyz } from './telemetry/health.ts';
import { GATEWAY } from './version.ts';

/** Milliseconds that calls under way get when the gateway ends. */
const GRACE = 10_000;

export class Running {
  readonly #rooms: Rooms;
  readonly #started: number;
  #ending: Promise<void> | undefined;

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
    this.#started = rooms.house.clock.now();
  }

  /** `http://127.0.0.1:7777/mcp`; empty when there are only sockets. */
  get urls(): readonly string[] {
    return urlsOf(this.#rooms);
  }

  get socket(): string {
    return places(this.#rooms.loaded.config.data).socket;
  }

  get tokenFile(): string {
    return places(this.#rooms.loaded.config.data).token;
  }

  async announce(): Promise<void> {
    await this.#notice('start', { servers: this.#rooms.state.deps.servers, urls: this.urls });
  }

  status(): object {
    return { ...Running.statusOf(this.#rooms), started: new Date(this.#started).toISOString() };
  }

  static statusOf({ house, upstreams, sessions, made, loaded, listeners }: Rooms): object {
    return {
      gateway: GATEWAY,
      pid: process.pid,
      urls: listeners.flatMap((listener) => urlsOfListener(listener)),
      mode: house.settings.mode,
      config: loaded.digest,
      draining: house.draining,
      sessions: sessions.size,
      open: house.ledger.size,
      servers: upstreams.status(),
      health: readyz({ parts: () => made.named, draining: () => house.draining }).body,
    };
  }

  /**
   * Takes a changed configuration over as a whole, or rejects and leaves everything as it was. Addresses, data directory,
   * tenant and store are given once: a change of them rejects, with what to do.
   */
  async reload(loaded: Loaded): Promise<void> {
    const rooms = this.#rooms;
    const { house, state, listeners, upstreams, catalog } = rooms;
    assertReloadable(rooms.loaded, loaded);
    const sameAudit =
      isDeepStrictEqual(rooms.loaded.config.audit.config, loaded.config.audit.config) &&
      rooms.loaded.config.audit.component === loaded.config.audit.component;
    const servers = loaded.config.servers.map(({ name }) => name);
    const deps = { ...state.deps, servers, url: loaded.config.url };
    const made = await makeParts(loaded.config, deps, sameAudit ? house.parts.audit : undefined);
    const old = rooms.made;
    house.parts = made.parts;
    house.settings = coreSettings(
      loaded,
      rulesOf(loaded.config, () => listeners.flatMap((listener) => [...listener.addresses()])),
    );
    house.epoch += 1;
    rooms.made = made;
    rooms.loaded = loaded;
    rooms.stopRevocations();
    rooms.stopRevocations = followRevocations(house);
    rooms.agents.reloaded();
    this.#renewCertificates(loaded);
    await upstreams.reload(loaded.config.servers);
    catalog.reload(loaded.config.servers);
    await this.#notice('configuration', { digest: loaded.digest });
    await old.close(sameAudit ? house.parts.audit : undefined);
  }

  /** Takes nothing new, lets calls under way finish for `grace` milliseconds, then closes everything. Once. */
  close(grace = GRACE): Promise<void> {
    return (this.#ending ??= this.#close(grace));
  }

  async #close(grace: number): Promise<void> {
    const { core, listeners, sessions, upstreams, catalog, agents, telemetry, made, state } = this.#rooms;
    core.drain();
    sessions.close();
    await Promise.all(listeners.map((listener) => listener.drain(grace)));
    await upstreams.close();
    await catalog.close();
    await this.#notice('stop', {});
    await telemetry.close();
    this.#rooms.stopRevocations();
    await agents.close();
    await made.close();
    await state.close();
  }

  /** A pair that does not fit together is not taken: the one in force stays, and the log says so. */
  #renewCertificates({ config }: Loaded): void {
    if (!config.tls) return;
    for (const listener of this.#rooms.listeners) {
      const encrypted = listener.addresses().some((address) => address.kind === 'tcp' && address.tls);
      if (encrypted) listener.renew(tlsOf(config.tls));
    }
  }

  async #notice(what: string, details: object): Promise<void> {
    const { house } = this.#rooms;
    await quietly(() => keep(house, noticeRecord(what, details, house)), house);
  }
}

function urlsOf({ listeners }: Rooms): readonly string[] {
  return listeners.flatMap((listener) => urlsOfListener(listener));
}

function urlsOfListener(listener: Rooms['listeners'][number]): string[] {
  return listener.addresses().some(({ kind }) => kind === 'tcp') ? [listener.url()] : [];
}

function assertReloadable(before: Loaded, after: Loaded): void {
  const fixed = ['listen', 'data', 'tenant', 'metrics', 'traces', 'message', 'admin'] as const;
  const changed = fixed.filter((key) => !isDeepStrictEqual(before.config[key], after.config[key]));
  if (!isDeepStrictEqual(before.config.store, after.config.store)) changed.push('store' as never);
  if (changed.length > 0)
    throw new Error(
      `a change of ${changed.map((key) => `\`${key}\``).join(', ')} needs a restart: run \`sallyport up\` again`,
    );
}
