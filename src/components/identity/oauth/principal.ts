/** From verified claims to who calls. */
import type { Json, JsonObject } from '../../../gateway/document.ts';
import { principalKey, type Actor, type Principal } from '../../../gateway/principal.ts';
import type { IssuerConfig } from './config.ts';
import type { Issuer } from './issuer.ts';
import type { Preset } from './presets.ts';
import type { Claims } from './verify.ts';

export type Told =
  | { readonly ok: true; readonly principal: Principal; readonly confirmation: Confirmation }
  | { readonly ok: false; readonly detail: string };

/** What the token is bound to (RFC 7800 `cnf`). */
export interface Confirmation {
  /** RFC 9449 §6.1: thumbprint of the key whose proofs come with the token. */
  readonly jkt: string | undefined;
  /** RFC 8705 §3.1: SHA-256 of the certificate that the connection is made with. */
  readonly x5t: string | undefined;
}

const LONGEST_NAME = 512;
const MOST_GROUPS = 1_000;
/** Links of a delegation. */
const DEEPEST = 8;

/** @param tenant the gateway's own: that of the issuer keeps its callers apart, and is a claim for policies */
export function principalOf(claims: Claims, issuer: Issuer, tenant: string): Told {
  const fact = reader(claims, issuer);
  const subject = fact('subject').find(isName);
  if (subject === undefined) return fault('no subject');
  const own = fact('tenant').find(isName);
  const { tenants } = issuer.config;
  if (tenants && (own === undefined || !tenants.includes(own))) return fault('another tenant');
  const overage = isOverage(claims);
  if (overage && issuer.config.overage === 'refuse')
    return fault('groups are left out (_claim_names): assign fewer, or app roles');
  const chain = chainOf(claims['act'], issuer.config.issuer);
  const confirmation = confirmationOf(claims['cnf']);
  if (typeof chain === 'string') return fault(chain);
  if (typeof confirmation === 'string') return fault(confirmation);
  // Whoever acts last is who calls, where the token names no client (RFC 8693 §4.1).
  const agent = fact('agent').find(isName) ?? chain.at(-1)?.subject;
  const person = issuer.preset.machine(claims) ? undefined : (fact('person').find(isName) ?? subject);
  const principal: Principal = {
    key: principalKey(tenant, issuer.config.issuer, subject, agent, ...(own === undefined ? [] : [own])),
    tenant,
    issuer: issuer.config.issuer,
    subject,
    agent,
    person,
    groups: overage ? [] : fact('groups').filter(isName).slice(0, MOST_GROUPS),
    chain,
    proof: { use: 'oauth', strength: (confirmation.jkt ?? confirmation.x5t) ? 'proof-of-possession' : 'bearer' },
    scopes: fact('scopes')
      .flatMap((text) => text.split(' '))
      .filter((scope) => scope !== ''),
    // Always ours, so that no issuer can say them.
    claims: { ...(claims as JsonObject), issuer_tenant: own ?? null, groups_overage: overage },
    expires: claims.exp === undefined ? undefined : claims.exp * 1000,
  };
  return { ok: true, principal, confirmation };
}

const fault = (detail: string): Told => ({ ok: false, detail });
const isName = (text: string): boolean => text.length > 0 && text.length <= LONGEST_NAME;

type Fact = keyof IssuerConfig['claims'];

/** The texts under the first claim that is there: what the configuration names, else where the preset looks. */
function reader(claims: Claims, { config, preset }: Issuer): (fact: Fact) => readonly string[] {
  return (fact) => {
    const named = config.claims[fact];
    const places: Preset[Fact] = named === undefined ? preset[fact] : [named];
    const value = places.map((place) => at(claims as JsonObject, place)).find((found) => found !== undefined);
    return texts(value);
  };
}

/** A claim, or a JSON pointer (RFC 6901) where it begins with a slash. */
function at(claims: JsonObject, place: string): Json | undefined {
  const steps = place.startsWith('/') ? place.slice(1).split('/').map(unescaped) : [place];
  let value: Json | undefined = claims;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, step))
      return undefined;
    value = (value as JsonObject)[step];
  }
  return value;
}

function unescaped(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}

function texts(value: Json | undefined): readonly string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

/** Entra leaves groups out above 200, and names a place to fetch them (OpenID Connect Core §5.6.2) that is not read here. */
function isOverage(claims: Claims): boolean {
  const names = claims['_claim_names'];
  return (
    claims['hasgroups'] === true || (typeof names === 'object' && names !== null && Object.hasOwn(names, 'groups'))
  );
}

/** RFC 8693 §4.1 nests the earlier actor in the later one; here the first to act comes first. */
function chainOf(act: unknown, issuer: string): readonly Actor[] | string {
  const chain: Actor[] = [];
  for (let link = act; link !== undefined; link = (link as { act?: unknown }).act) {
    if (typeof link !== 'object' || link === null || chain.length === DEEPEST) return 'act is malformed or too deep';
    const { sub, iss = issuer, client_id } = link as Record<string, unknown>;
    const subject = sub ?? client_id;
    if (typeof subject !== 'string' || !isName(subject) || typeof iss !== 'string') return 'act names nobody';
    chain.unshift({ issuer: iss, subject });
  }
  return chain;
}

/** A binding that nobody can check here binds to nothing: the token is refused. */
function confirmationOf(cnf: unknown): Confirmation | string {
  if (cnf === undefined) return { jkt: undefined, x5t: undefined };
  if (typeof cnf !== 'object' || cnf === null) return 'cnf is malformed';
  const { jkt, 'x5t#S256': x5t, ...others } = cnf as Record<string, unknown>;
  const known = [jkt, x5t].filter((one) => one !== undefined);
  if (known.length === 0 || Object.keys(others).length > 0 || !known.every((one) => typeof one === 'string'))
    return 'cnf cannot be checked';
  return { jkt: jkt as string | undefined, x5t: x5t as string | undefined };
}
