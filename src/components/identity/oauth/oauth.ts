/**
 * The gateway as an OAuth 2.1 resource server (MCP basic/authorization): tokens of configured issuers, made for the endpoint
 * that is called. A token is verified once and remembered by its hash for a moment; what it is bound to is proven every time.
 */
import { createHash } from 'node:crypto';
import { defineComponent, type Health, type PartDeps } from '../../../gateway/component.ts';
import type { Endpoint } from '../../../gateway/exchange.ts';
import type { Arrival } from '../../../gateway/ports.ts';
import type { Principal } from '../../../gateway/principal.ts';
import { Lru } from '../../../lib/lru.ts';
import type { Identified, Identity, Revocation, Sufficient } from '../identity.ts';
import { config, type Config } from './config.ts';
import { newNonce, proven } from './dpop.ts';
import { Issuer } from './issuer.ts';
import { placesAt, type Places } from './places.ts';
import { principalOf, type Confirmation } from './principal.ts';
import { marksOf, Revocations, type Marks } from './revocations.ts';
import { missingScopes, neededScopes } from './scopes.ts';
import { claimedIssuer, LONGEST, presentedIn, type Presented } from './token.ts';
import { checkAnswer, checkJwt, type Checked } from './verify.ts';

export const oauth = defineComponent({
  kind: 'identity',
  use: 'oauth',
  config,
  create: async (settings: Config, deps): Promise<Identity> => {
    const { url } = deps;
    if (url === undefined)
      throw new Error('identity/oauth needs the public base URL: give `url`, such as `url: https://gw.example.com`');
    const longest = Math.max(...settings.issuers.map(({ lifetime }) => lifetime));
    return new OAuth(settings, placesAt(url, settings), deps, await Revocations.open(deps, longest));
  },
});

/** A token that was verified for one endpoint. */
interface Verified {
  readonly principal: Principal;
  readonly confirmation: Confirmation;
  readonly marks: Marks;
  /** Epoch milliseconds until which it need not be verified again. */
  readonly until: number;
}

type Judged = { readonly ok: true; readonly verified: Verified } | Extract<Checked, { ok: false }>;

const MOST_VERIFIED = 10_000;
const MOST_REFUSED = 1_000;
/** Milliseconds that a refusal is remembered. */
const REFUSED_FOR = 10_000;

class OAuth implements Identity {
  readonly #config: Config;
  readonly #places: Places;
  readonly #deps: PartDeps;
  readonly #revocations: Revocations;
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #verified = new Lru<string, Verified>(MOST_VERIFIED);
  readonly #refused = new Lru<string, { readonly detail: string; readonly until: number }>(MOST_REFUSED);
  /** By the claims of principals that were identified here: a registry of agents may have added to the rest. */
  readonly #marks = new WeakMap<object, Marks>();

  constructor(settings: Config, places: Places, deps: PartDeps, revocations: Revocations) {
    this.#config = settings;
    this.#places = places;
    this.#deps = deps;
    this.#revocations = revocations;
    this.#issuers = new Map(settings.issuers.map((one) => [one.issuer, new Issuer(one, settings, deps.clock)]));
  }

  identify(arrival: Arrival): Identified | Promise<Identified> {
    const endpoint = arrival.endpoint ?? { kind: 'joint' };
    const presented = presentedIn(arrival.header('authorization'));
    if (!presented) return this.#absent(endpoint);
    if (presented.token.length > LONGEST) return this.#rejected(presented, endpoint, 'too long');
    const key = `${presented.sha256} ${this.#places.resource(endpoint)}`;
    const now = this.#deps.clock.now();
    const known = this.#verified.get(key);
    if (known && now < known.until) return this.#admit(known, presented, arrival, endpoint);
    const refused = this.#refused.get(key);
    if (refused && now < refused.until) return this.#rejected(presented, endpoint, refused.detail);
    return this.#verify(presented, key, arrival, endpoint);
  }

  sufficient(principal: Principal, action: string, server: string | undefined, endpoint: Endpoint): Sufficient {
    if (!this.#isOwn(principal)) return { sufficient: true };
    const { scopes, implies } = this.#config;
    const needed = neededScopes(scopes, action, server);
    if (missingScopes(needed, principal.scopes ?? [], implies).length === 0) return { sufficient: true };
    const description = 'The token does not carry the scopes that this needs';
    const more = { error: 'insufficient_scope', description, scopes: needed };
    return {
      sufficient: false,
      challenge: this.#places.challenge('Bearer', endpoint, more),
      detail: `needs ${needed.join(' ')}`,
    };
  }

  holds(principal: Principal): boolean {
    const marks = principal.claims && this.#marks.get(principal.claims);
    return !marks || !this.#revocations.meet(marks);
  }

  onRevoked(listener: () => void): () => void {
    return this.#revocations.onChange(listener);
  }

  revoke(revocation: Revocation): Promise<void> {
    return this.#revocations.add(revocation);
  }

  document(path: string): object | undefined {
    return this.#places.document(path);
  }

  health(): Health {
    const faults = [this.#revocations.fault, ...[...this.#issuers.values()].map(({ keys }) => keys.fault)];
    const fault = faults.find((one) => one !== undefined);
    return fault === undefined ? { state: 'live' } : { state: 'degraded', detail: fault };
  }

  async close(): Promise<void> {
    this.#revocations.close();
    for (const issuer of this.#issuers.values()) await issuer.close();
  }

  // ---- one token ------------------------------------------------------------------------------------------------

  async #verify(presented: Presented, key: string, arrival: Arrival, endpoint: Endpoint): Promise<Identified> {
    const judged = await this.#judge(presented, endpoint);
    if (!judged) return this.#absent(endpoint);
    if (judged.ok) {
      this.#verified.set(key, judged.verified);
      return this.#admit(judged.verified, presented, arrival, endpoint);
    }
    const until = this.#deps.clock.now() + REFUSED_FOR;
    if (!judged.keyless) this.#refused.set(key, { detail: judged.detail, until });
    return this.#rejected(presented, endpoint, judged.detail);
  }

  /** Undefined: no token of an issuer that is known here. */
  async #judge(presented: Presented, endpoint: Endpoint): Promise<Judged | undefined> {
    const { token } = presented;
    const jwt = claimedIssuer(token);
    const issuer = jwt ? this.#issuerNamed(jwt.iss) : this.#introspector();
    if (!issuer) return undefined;
    const { clock } = this.#deps;
    const expected = { issuer, resource: this.#places.resource(endpoint), tolerance: this.#config.tolerance, clock };
    const checked = jwt ? await checkJwt(token, expected) : checkAnswer(await issuer.introspect(token), expected);
    if (!checked.ok) return checked;
    const always = jwt !== undefined && issuer.config.introspection?.always === true;
    if (always && (await issuer.introspect(token))['active'] !== true)
      return { ok: false, detail: 'withdrawn by its issuer' };
    return this.#told(checked.claims, issuer, presented, jwt === undefined || always);
  }

  #told(
    claims: Extract<Checked, { ok: true }>['claims'],
    issuer: Issuer,
    { sha256 }: Presented,
    asked: boolean,
  ): Judged {
    const told = principalOf(claims, issuer, this.#deps.tenant);
    if (!told.ok) return told;
    const { principal, confirmation } = told;
    const cache = asked ? Math.min(this.#config.cache, issuer.config.introspection!.cache) : this.#config.cache;
    const until = Math.min(this.#deps.clock.now() + cache, principal.expires ?? Infinity);
    const marks = marksOf(sha256, issuer.config.issuer, claims);
    this.#marks.set(principal.claims!, marks);
    return { ok: true, verified: { principal, confirmation, marks, until } };
  }

  #issuerNamed(iss: unknown): Issuer | undefined {
    return typeof iss === 'string' ? this.#issuers.get(iss) : undefined;
  }

  #introspector(): Issuer | undefined {
    return [...this.#issuers.values()].find(({ config: { introspection } }) => introspection !== undefined);
  }

  // ---- one request ----------------------------------------------------------------------------------------------

  /** The token is good; now what is asked anew every time: not withdrawn, and in the hands that it was made for. */
  #admit(
    verified: Verified,
    presented: Presented,
    arrival: Arrival,
    endpoint: Endpoint,
  ): Identified | Promise<Identified> {
    const { principal, confirmation, marks } = verified;
    const { jkt, x5t } = confirmation;
    if (this.#revocations.meet(marks)) return this.#rejected(presented, endpoint, 'withdrawn');
    if (x5t !== undefined && x5t !== thumbprint(arrival.peer.certificate))
      return this.#rejected(presented, endpoint, 'bound to another certificate');
    if (this.#config.bound === 'required' && (jkt ?? x5t) === undefined)
      return this.#rejected(presented, endpoint, 'bound to nothing');
    // RFC 9449 §7.1, §7.2: a bound token under the scheme Bearer, and an unbound one under DPoP, are both refused.
    if ((jkt === undefined) === (presented.scheme === 'DPoP'))
      return this.#rejected(presented, endpoint, jkt === undefined ? 'bound to no key' : 'bound to a key');
    if (jkt === undefined) return { known: true, principal };
    return this.#prove(principal, jkt, presented, arrival, endpoint);
  }

  async #prove(
    principal: Principal,
    jkt: string,
    presented: Presented,
    arrival: Arrival,
    endpoint: Endpoint,
  ): Promise<Identified> {
    const demand = { token: presented.token, jkt, resource: this.#places.resource(endpoint) };
    const found = await proven(arrival, demand, this.#config.dpop, this.#deps);
    if (found.ok) return { known: true, principal };
    const error = found.nonce ? 'use_dpop_nonce' : 'invalid_dpop_proof';
    const challenge = this.#places.challenge('DPoP', endpoint, { error, description: found.detail });
    const headers = this.#config.dpop.nonce ? [['DPoP-Nonce', newNonce(this.#deps)] as const] : [];
    return { known: false, why: 'rejected', detail: found.detail, challenge, headers };
  }

  /** RFC 6750 §3.1: a request without a token is told no error. */
  #absent(endpoint: Endpoint): Identified {
    return { known: false, why: 'absent', challenge: this.#places.challenge('Bearer', endpoint) };
  }

  /** Why stays with the operator: an agent can do nothing with it but fetch a new token. */
  #rejected({ scheme }: Presented, endpoint: Endpoint, detail: string): Identified {
    const more = { error: 'invalid_token', description: 'The access token is not accepted here' };
    return { known: false, why: 'rejected', detail, challenge: this.#places.challenge(scheme, endpoint, more) };
  }

  #isOwn({ proof, issuer }: Principal): boolean {
    return proof.use === 'oauth' && this.#issuers.has(issuer);
  }
}

function thumbprint(certificate: Buffer | undefined): string | undefined {
  return certificate && createHash('sha256').update(certificate).digest('base64url');
}
