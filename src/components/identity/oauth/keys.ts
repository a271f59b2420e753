/**
 * The keys of one issuer. They are fetched again when they are old, and for an unknown key id at most once per cool-down, so
 * that invented ids cannot make the gateway flood its issuer. Only what the issuer publishes counts: nothing that a token
 * names itself (`jku`, `x5u`, `jwk`) is read.
 */
import {
  createLocalJWKSet,
  errors,
  type CryptoKey,
  type FlattenedJWSInput,
  type JWK,
  type JWSHeaderParameters,
} from 'jose';
import type { Clock } from '../../../gateway/ports.ts';
import { Unavailable } from './web.ts';

export interface KeySettings {
  /** Milliseconds. */
  readonly refresh: number;
  readonly cooldown: number;
}

type Keys = ReturnType<typeof createLocalJWKSet>;

const MOST = 64;
/** How much longer than `refresh` keys are used while their issuer cannot be reached. */
const STALE = 6;
/** Milliseconds before an issuer that did not answer is asked again. */
const RETRY = 5_000;

export class KeySet {
  readonly #fetch: () => Promise<readonly unknown[]>;
  readonly #clock: Clock;
  readonly #settings: KeySettings;
  #keys: Keys | undefined;
  #fetched = -Infinity;
  #tried = -Infinity;
  #fault: string | undefined;
  #loading: Promise<Keys> | undefined;

  constructor(fetch: () => Promise<readonly unknown[]>, clock: Clock, settings: KeySettings) {
    this.#fetch = fetch;
    this.#clock = clock;
    this.#settings = settings;
  }

  /** Why the keys could not be fetched last time. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** The key that verifies; throws a `JOSEError` when none does, `Unavailable` when nobody can know. */
  async find(header: JWSHeaderParameters | undefined, input: FlattenedJWSInput): Promise<CryptoKey> {
    const keys = await this.current();
    try {
      return await keys(header as never, input);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#cool()) throw error;
      return (await this.#load())(header as never, input);
    }
  }

  async current(): Promise<Keys> {
    const age = this.#clock.monotonic() - this.#fetched;
    if (this.#keys && age < this.#settings.refresh) return this.#keys;
    if (!this.#cool() && !this.#loading) return this.#old(age);
    return this.#load().catch((error: unknown) => this.#old(age, error));
  }

  /** An issuer that is away for a while does not lock everybody out at once. */
  #old(age: number, error?: unknown): Keys {
    if (this.#keys && age < STALE * this.#settings.refresh) return this.#keys;
    throw error ?? new Unavailable(this.#fault ?? 'the keys of the issuer are not known');
  }

  #cool(): boolean {
    const { cooldown } = this.#settings;
    const wait = this.#fault === undefined ? cooldown : Math.min(cooldown, RETRY);
    return this.#clock.monotonic() - this.#tried >= wait;
  }

  #load(): Promise<Keys> {
    this.#loading ??= this.#fetchKeys().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #fetchKeys(): Promise<Keys> {
    this.#tried = this.#clock.monotonic();
    try {
      this.#keys = createLocalJWKSet({ keys: usable(await this.#fetch()) });
      this.#fetched = this.#tried;
      this.#fault = undefined;
      return this.#keys;
    } catch (error) {
      this.#fault = error instanceof Error ? error.message : 'the keys could not be fetched';
      throw error instanceof Unavailable ? error : new Unavailable(this.#fault, { cause: error });
    }
  }
}

/** Public keys for signatures. A symmetric key among them would make the published one a secret (RFC 8725 §2.1). */
function usable(keys: readonly unknown[]): JWK[] {
  if (keys.length > MOST) throw new Unavailable(`the issuer publishes more than ${MOST} keys`);
  return keys.filter((key): key is JWK => {
    if (typeof key !== 'object' || key === null) return false;
    const { kty, use, d } = key as JWK;
    return (kty === 'RSA' || kty === 'EC' || kty === 'OKP') && use !== 'enc' && d === undefined;
  });
}
