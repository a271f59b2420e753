/** One authorization server: what it publishes about itself (RFC 8414, OpenID Connect Discovery), its keys, its answers. */
import { importPKCS8, SignJWT } from 'jose';
import type { Clock } from '../../../gateway/ports.ts';
import { newId } from '../../../lib/ids.ts';
import type { Config, IssuerConfig } from './config.ts';
import { KeySet } from './keys.ts';
import { presetOf, type Preset } from './presets.ts';
import { isLoopback, openWeb, Unavailable, type JsonAnswer, type Web } from './web.ts';

/** Tokens that one issuer is asked about at once. */
const MOST_ASKED = 64;

export class Issuer {
  readonly config: IssuerConfig;
  readonly preset: Preset;
  readonly keys: KeySet;
  readonly #web: Web;
  readonly #clock: Clock;
  #metadata: Promise<JsonAnswer> | undefined;
  #asking = 0;

  constructor(config: IssuerConfig, { keys, ca }: Pick<Config, 'keys' | 'ca'>, clock: Clock) {
    this.config = config;
    this.preset = presetOf(config.preset);
    this.#clock = clock;
    this.#web = openWeb({ timeout: keys.timeout, size: keys.size, ca, loopback: isLoopback(config.issuer) });
    this.keys = new KeySet(() => this.#fetchKeys(), clock, keys);
  }

  close(): Promise<void> {
    return this.#web.close();
  }

  /**
   * RFC 7662 §2. Throws `Unavailable` when the issuer does not answer, or refuses the gateway itself, or is asked too much at
   * once: invented tokens must not become a flood.
   */
  async introspect(token: string): Promise<JsonAnswer> {
    if (this.#asking >= MOST_ASKED)
      throw new Unavailable(`${this.config.issuer} is asked about too many tokens at once`);
    this.#asking += 1;
    try {
      return await this.#ask(token);
    } finally {
      this.#asking -= 1;
    }
  }

  async #ask(token: string): Promise<JsonAnswer> {
    const { introspection } = this.config;
    if (!introspection) throw new Error('introspection is not configured');
    const form = new URLSearchParams({ token, token_type_hint: 'access_token' });
    const headers = await this.#authenticate(form);
    const endpoint = introspection.endpoint ?? (await this.#published('introspection_endpoint'));
    return this.#web.post(endpoint, form, headers);
  }

  async #fetchKeys(): Promise<readonly unknown[]> {
    // Fetched anew with the keys: where they are may move too.
    this.#metadata = undefined;
    const set = await this.#web.get(this.config.jwks ?? (await this.#published('jwks_uri')));
    if (!Array.isArray(set?.['keys'])) throw new Unavailable(`${this.config.issuer} publishes no key set`);
    return set['keys'] as unknown[];
  }

  async #published(member: string): Promise<string> {
    this.#metadata ??= this.#discover();
    const value = (await this.#metadata.catch((error: unknown) => this.#forget(error)))[member];
    if (typeof value === 'string') return value;
    throw new Unavailable(`the metadata of ${this.config.issuer} names no ${member}`);
  }

  #forget(error: unknown): never {
    this.#metadata = undefined;
    throw error;
  }

  /** A document that says another issuer is refused, not skipped: it is how issuers are mixed up (RFC 8414 §3.3). */
  async #discover(): Promise<JsonAnswer> {
    const { issuer } = this.config;
    for (const url of metadataUrls(issuer)) {
      const found = await this.#web.get(url);
      if (!found) continue;
      if (found['issuer'] === issuer) return found;
      throw new Unavailable(`the metadata of ${issuer} speaks for another issuer; compare them letter by letter`);
    }
    throw new Unavailable(`${issuer} publishes no metadata; give its \`jwks\``);
  }

  async #authenticate(form: URLSearchParams): Promise<Record<string, string>> {
    const { client, secret, key, algorithm } = this.config.introspection!;
    // RFC 6749 §2.3.1: both are form-encoded before they are joined.
    const encoded = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1);
    if (secret !== undefined) {
      const pair = Buffer.from(`${encoded(client)}:${encoded(secret)}`).toString('base64');
      return { authorization: `Basic ${pair}` };
    }
    form.set('client_id', client);
    form.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    form.set('client_assertion', await this.#assertion(client, key!, algorithm));
    return {};
  }

  /** RFC 7523 §3. */
  async #assertion(client: string, key: string, algorithm: string): Promise<string> {
    const now = Math.floor(this.#clock.now() / 1000);
    return new SignJWT({
      iss: client,
      sub: client,
      aud: this.config.issuer,
      jti: newId(this.#clock),
      iat: now,
      exp: now + 60,
    })
      .setProtectedHeader({ alg: algorithm })
      .sign(await importPKCS8(key, algorithm));
  }
}

/** RFC 8414 §3.1 puts the name before the issuer's path, OpenID Connect Discovery behind it; both are in use. */
export function metadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const before = ['oauth-authorization-server', 'openid-configuration'].map(
    (name) => `${origin}/.well-known/${name}${path}`,
  );
  return path === '' ? before : [...before, `${origin}${path}/.well-known/openid-configuration`];
}
