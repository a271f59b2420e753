/**
 * Hears what the triggers of `ddl.ts` announce, on a connection of its own. PostgreSQL loses what is announced while
 * nobody listens, and some connection poolers lose the listening itself, so the listener sends itself a beat: when one
 * does not come back, anything may have changed, everyone is told so, and the connection is made anew.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';
import type { Announce } from '../sql/database.ts';

const BEAT_EVERY = 5_000;
const RETRY_AFTER = 500;

export class Listener {
  readonly #config: ClientConfig;
  readonly #channel: string;
  readonly #announce: Announce;
  readonly #stop = new AbortController();
  readonly #beating: NodeJS.Timeout;
  #client: Client | undefined;
  #connecting: Promise<void> | undefined;
  #beat = 0;
  #heard = 0;

  private constructor(config: ClientConfig, channel: string, announce: Announce) {
    this.#config = config;
    this.#channel = channel;
    this.#announce = announce;
    this.#beating = setInterval(() => void this.#sendBeat(), BEAT_EVERY).unref();
  }

  /** Resolves when every later change will be heard. */
  static async start(config: ClientConfig, channel: string, announce: Announce): Promise<Listener> {
    const listener = new Listener(config, channel, announce);
    try {
      await listener.#connect();
    } catch (error) {
      await listener.close();
      throw error;
    }
    return listener;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    clearInterval(this.#beating);
    await this.#connecting;
    await this.#client?.end();
  }

  async #connect(): Promise<void> {
    const client = new Client(this.#config);
    client.on('error', () => this.#lost(client));
    client.on('end', () => this.#lost(client));
    client.on('notification', ({ payload = '' }) => this.#hear(payload));
    try {
      await client.connect();
      await client.query(`listen ${client.escapeIdentifier(this.#channel)}`);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    this.#heard = this.#beat;
    this.#client = client;
  }

  #lost(client: Client): void {
    if (this.#client !== client || this.#stop.signal.aborted) return;
    this.#client = undefined;
    client.end().catch(() => undefined);
    this.#connecting = this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#connect();
        return this.#announce(undefined);
      } catch {
        await wait(RETRY_AFTER, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      }
    }
  }

  async #sendBeat(): Promise<void> {
    const client = this.#client;
    if (!client) return;
    if (this.#heard < this.#beat) {
      this.#announce(undefined);
      return this.#lost(client);
    }
    this.#beat += 1;
    await client.query('select pg_notify($1, $2)', [this.#channel, String(this.#beat)]).catch(() => undefined);
  }

  /** A beat is a number, a change a list of three; the channel also carries the beats of other replicas. */
  #hear(payload: string): void {
    const heard: unknown = JSON.parse(payload);
    if (typeof heard === 'number') this.#heard = Math.max(this.#heard, heard);
    else if (Array.isArray(heard)) {
      const [tenant, topic, key] = heard as readonly string[];
      this.#announce({ tenant: tenant ?? '', topic: topic ?? '', key: key ?? '' });
    }
  }
}
