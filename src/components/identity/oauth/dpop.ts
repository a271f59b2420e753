/** Proofs of possession that come with a token (RFC 9449 §4.3, §7). Each counts once. */
import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify, type JWK, type JWTPayload } from 'jose';
import type { PartDeps } from '../../../gateway/component.ts';
import type { Arrival } from '../../../gateway/ports.ts';
import type { Config } from './config.ts';
import { lowerOrigin } from './verify.ts';

/** `nonce`: the proof is good but for its nonce; the agent is given one. */
export type Proven = { readonly ok: true } | { readonly ok: false; readonly detail: string; readonly nonce?: true };

const no = (detail: string): Proven => ({ ok: false, detail });

export interface Demand {
  readonly token: string;
  /** The thumbprint in the token (`cnf.jkt`). */
  readonly jkt: string;
  /** The endpoint's own URL. */
  readonly resource: string;
}

type Settings = Config['dpop'];
type Deps = Pick<PartDeps, 'clock' | 'store' | 'keyring' | 'tenant'>;

export async function proven(arrival: Arrival, demand: Demand, settings: Settings, deps: Deps): Promise<Proven> {
  const proof = arrival.header('dpop');
  if (proof === undefined) return no('no DPoP proof');
  const read = await readProof(proof, settings, deps);
  if (!read) return no('the DPoP proof is not signed as it says');
  const fault = await faultOf(read.claims, read.jwk, arrival, demand, settings, deps);
  if (fault !== undefined) return no(fault);
  if (settings.nonce && !nonceCounts(read.claims['nonce'], deps))
    return { ok: false, detail: 'no nonce of ours', nonce: true };
  return (await first(read.claims, demand.jkt, settings, deps)) ? { ok: true } : no('the DPoP proof was used before');
}

const LONGEST = 8 * 1024;

async function readProof(
  proof: string,
  { algorithms }: Settings,
  { clock }: Deps,
): Promise<{ claims: JWTPayload; jwk: JWK } | undefined> {
  if (proof.length > LONGEST) return undefined;
  try {
    const options = { typ: 'dpop+jwt', algorithms: [...algorithms], currentDate: new Date(clock.now()) };
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, options);
    return { claims: payload, jwk: protectedHeader.jwk! };
  } catch {
    return undefined;
  }
}

async function faultOf(
  { htm, htu, ath, iat, jti }: JWTPayload,
  jwk: JWK,
  arrival: Arrival,
  { token, jkt, resource }: Demand,
  { window }: Settings,
  { clock }: Deps,
): Promise<string | undefined> {
  // A private key in a header is given to everybody, so it proves nothing.
  if ('d' in jwk) return 'the key of the DPoP proof is not public';
  if ((await calculateJwkThumbprint(jwk, 'sha256')) !== jkt) return 'another key';
  if (htm !== arrival.verb) return 'htm is another method';
  if (typeof htu !== 'string' || !samePlace(htu, resource)) return 'htu is another URL';
  if (ath !== createHash('sha256').update(token).digest('base64url')) return 'ath is another token';
  if (typeof jti !== 'string' || jti.length === 0 || jti.length > 256) return 'jti is missing or too long';
  if (typeof iat !== 'number' || Math.abs(clock.now() - iat * 1000) > window) return 'iat is not of now';
  return undefined;
}

/** RFC 9449 §4.3: without query and fragment. */
function samePlace(htu: string, resource: string): boolean {
  return lowerOrigin(htu.replace(/[?#].*$/s, '')) === resource;
}

/** Remembered by all replicas for as long as the proof could be shown again. */
function first({ jti, iat }: JWTPayload, jkt: string, { window }: Settings, { store, tenant }: Deps): Promise<boolean> {
  const name = createHash('sha256').update(`${jkt} ${jti}`).digest('base64url');
  return store.uses.consume(tenant, `dpop:${name}`, (iat ?? 0) * 1000 + window + 1);
}

const PURPOSE = 'dpop-nonce';
const NONCE_LIVES = 300_000;

/** Sealed, so that no replica has to remember which it gave. */
export function newNonce({ keyring, clock }: Pick<Deps, 'keyring' | 'clock'>): string {
  return keyring.seal(PURPOSE, { expires: clock.now() + NONCE_LIVES }, []);
}

function nonceCounts(nonce: unknown, { keyring }: Deps): boolean {
  return typeof nonce === 'string' && nonce.length < 1024 && keyring.open(PURPOSE, nonce, []).ok;
}
