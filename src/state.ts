/** What one process owns on a machine: the data folder, the store in it or behind it, and the key ring in the store. */
import { chmodSync, mkdirSync } from 'node:fs';
import { keysIn } from './components/store/keys.ts';
import type { StorePart } from './components/store/parts.ts';
import type { Store } from './components/store/store.ts';
import type { Config } from './config/config.ts';
import type { PartDeps } from './gateway/component.ts';
import { openKeyring, type Keyring } from './gateway/keyring.ts';
import type { Clock, Log } from './gateway/ports.ts';
import { GATEWAY } from './version.ts';

export const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

export interface State {
  readonly store: Store;
  readonly keyring: Keyring;
  /** What parts may use. */
  readonly deps: PartDeps;
  close(): Promise<void>;
}

/** Milliseconds between looks at the ring; changes of other replicas are told at once besides. */
const REFRESH = 60 * 60_000;

export async function openState(config: Config, log: Log): Promise<State> {
  mkdirSync(config.data, { recursive: true, mode: 0o700 });
  chmodSync(config.data, 0o700);
  const early: Omit<PartDeps, 'keyring' | 'store'> = {
    clock,
    log,
    data: config.data,
    base: config.base,
    gateway: GATEWAY,
    servers: config.servers.map(({ name }) => name),
    tenant: config.tenant,
    url: config.url,
  };
  if (!config.store) throw new Error('a gateway needs a store: name one with `store: { use: embedded }`');
  const part = (await config.store.component.create(config.store.config, {
    ...early,
    keyring: NO_KEYRING,
    store: NO_STORE,
  })) as StorePart;
  const keys = keysIn(part.store, config.tenant);
  const keyring = await openKeyring(keys, clock);
  const stopWatching = refreshed(keyring, (onChange) => keys.watch(onChange), log);
  const close = async (): Promise<void> => {
    stopWatching();
    await part.close?.();
  };
  return { store: part.store, keyring, deps: { ...early, keyring, store: part.store }, close };
}

/** The store holds the ring, so it cannot use it. */
const NO_KEYRING: Keyring = {
  seal: () => fail(),
  open: () => fail(),
  refresh: () => fail(),
};

/** A store part makes it. */
const NO_STORE = new Proxy({} as Store, { get: () => fail() });

function fail(): never {
  throw new Error(
    'a store part can use neither the store nor the key ring: it makes the one, and the other is kept in it',
  );
}

function refreshed(keyring: Keyring, watch: (onChange: () => void) => () => void, log: Log): () => void {
  const refresh = (): void => {
    keyring
      .refresh()
      .catch((error: unknown) =>
        log.error({ err: error }, 'the key ring could not be refreshed; the keys known so far stay in use'),
      );
  };
  const timer = setInterval(refresh, REFRESH).unref();
  const stop = watch(refresh);
  return () => {
    clearInterval(timer);
    stop();
  };
}
