import type { Announce } from './database.ts';

type Listener = (key: string | undefined) => void;

/** Who in this process wants to hear of which topic. */
export class Watchers {
  readonly #listeners = new Map<string, Set<Listener>>();

  /** A name holds no NUL, so tenant and topic cannot run into each other. */
  watch(tenant: string, topic: string, listener: Listener): () => void {
    const address = `${tenant}\0${topic}`;
    const entry: Listener = (key) => listener(key);
    const listeners = this.#listeners.get(address) ?? new Set();
    this.#listeners.set(address, listeners.add(entry));
    return () => {
      listeners.delete(entry);
      if (listeners.size === 0 && this.#listeners.get(address) === listeners) this.#listeners.delete(address);
    };
  }

  readonly announce: Announce = (change) => {
    if (change === undefined) for (const listeners of this.#listeners.values()) tell(listeners, undefined);
    else tell(this.#listeners.get(`${change.tenant}\0${change.topic}`) ?? [], change.key);
  };
}

// A listener that throws must keep neither its neighbours nor the store from going on.
function tell(listeners: Iterable<Listener>, key: string | undefined): void {
  for (const listener of listeners) queueMicrotask(() => listener(key));
}
