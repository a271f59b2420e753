/** What a token must be before a word of it counts: RFC 9068 §4, RFC 8725, and what each kind of issuer needs besides. */
import { errors, jwtVerify, type JWTPayload } from 'jose';
import type { Clock } from '../../../gateway/ports.ts';
import type { Config } from './config.ts';
import type { Issuer } from './issuer.ts';
import { Unavailable, type JsonAnswer } from './web.ts';

export type Claims = JWTPayload;

/** `detail` names a rule, never a value. `keyless`: the key may be published in a moment, so the refusal is not remembered. */
export type Checked =
  | { readonly ok: true; readonly claims: Claims }
  | { readonly ok: false; readonly detail: string; readonly keyless?: true };

const no = (detail: string): Checked => ({ ok: false, detail });

export interface Expected {
  readonly issuer: Issuer;
  /** The endpoint's own URL. */
  readonly resource: string;
  readonly tolerance: Config['tolerance'];
  readonly clock: Clock;
}

/** A signed token. Throws `Unavailable` when the keys are not known. */
export async function checkJwt(token: string, expected: Expected): Promise<Checked> {
  const { issuer, tolerance, clock } = expected;
  try {
    const { payload, protectedHeader } = await jwtVerify(token, (header, input) => issuer.keys.find(header, input), {
      algorithms: [...issuer.config.algorithms],
      issuer: issuer.config.issuer,
      requiredClaims: [...issuer.preset.required, ...issuer.config.required],
      clockTolerance: Math.ceil(tolerance / 1000),
      currentDate: new Date(clock.now()),
    });
    const fault =
      typeFault(protectedHeader.typ, issuer) ?? kindFault(payload, issuer) ?? claimsFault(payload, expected);
    return fault === undefined ? { ok: true, claims: payload } : no(fault);
  } catch (error) {
    return refusalOf(error);
  }
}

/** What an issuer says of a token that is no JWT (RFC 7662 §2.2). */
export function checkAnswer(answer: JsonAnswer, expected: Expected): Checked {
  if (answer['active'] !== true) return no('the issuer does not know the token as active');
  const { iss } = answer;
  if (iss !== undefined && iss !== expected.issuer.config.issuer) return no('the answer speaks for another issuer');
  const use = answer['token_use'] ?? answer['token_type'];
  if (typeof use === 'string' && !/^(access_token|bearer|dpop)$/i.test(use)) return no('no access token');
  // A client that calls for itself is its own subject (RFC 9068 §2.2); answers may leave that out.
  const claims: Claims = { sub: answer['client_id'] as string, ...answer };
  const fault = claimsFault(claims, expected);
  return fault === undefined ? { ok: true, claims } : no(fault);
}

function typeFault(typ: unknown, { config, preset }: Issuer): string | undefined {
  const accepted = (config.types ?? preset.types).map(mediaType);
  const found = typ === undefined ? 'none' : typeof typ === 'string' ? mediaType(typ) : '';
  return accepted.includes(found) ? undefined : 'typ is not that of an access token';
}

/** RFC 7515 §4.1.9: in any case, and `application/` may be left out. */
function mediaType(typ: string): string {
  return typ.toLowerCase().replace(/^application\//, '');
}

/** A token of another purpose under the same keys: ID tokens, refresh tokens. */
function kindFault(claims: Claims, { preset }: Issuer): string | undefined {
  for (const [name, values] of Object.entries(preset.never)) {
    if (claims[name] !== undefined && !values.includes(claims[name])) return `${name} is that of another kind of token`;
  }
  if (preset.oneOf && !preset.oneOf.some((name) => claims[name] !== undefined)) return 'no claim of an access token';
  return undefined;
}

function claimsFault(claims: Claims, { issuer, resource, tolerance, clock }: Expected): string | undefined {
  const { aud, exp, iat, nbf } = claims;
  const now = clock.now();
  if (!audiences(aud).some((one) => isMeant(one, resource, issuer))) return 'aud is another resource';
  if (!isMoment(exp) || !isMoment(iat) || !isMoment(nbf)) return 'a time is no number';
  if (exp !== undefined && exp * 1000 <= now) return 'expired';
  if (nbf !== undefined && nbf * 1000 > now + tolerance) return 'nbf is in the future';
  if (iat !== undefined && iat * 1000 > now + tolerance) return 'iat is in the future';
  if (exp !== undefined && exp * 1000 - (iat ?? now / 1000) * 1000 > issuer.config.lifetime) return 'lives too long';
  return undefined;
}

const isMoment = (value: unknown): value is number | undefined =>
  value === undefined || (typeof value === 'number' && Number.isFinite(value) && value >= 0);

function audiences(aud: unknown): readonly string[] {
  const all: unknown[] = Array.isArray(aud) ? aud : [aud];
  return all.filter((one): one is string => typeof one === 'string');
}

/** MCP basic/authorization: scheme and host in any case, everything else letter by letter; no trailing slash. */
function isMeant(aud: string, resource: string, { config }: Issuer): boolean {
  if (config.audience !== undefined) return [config.audience].flat().includes(aud);
  return lowerOrigin(aud) === resource;
}

export function lowerOrigin(uri: string): string {
  return uri.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/, (origin) => origin.toLowerCase());
}

/** The sentences of jose may repeat values, so none of them is passed on. */
function refusalOf(error: unknown): Checked {
  if (error instanceof Unavailable) throw error;
  if (error instanceof errors.JWTClaimValidationFailed) return no(`${error.claim} ${error.reason}`);
  if (error instanceof errors.JWTExpired) return no('expired');
  if (error instanceof errors.JWKSNoMatchingKey)
    return { ok: false, detail: 'no published key has this id', keyless: true };
  if (error instanceof errors.JOSEError) return no(error.code);
  // Keys that do not fit their algorithm make jose throw a TypeError.
  if (error instanceof TypeError) return no('the key does not fit');
  throw error;
}
