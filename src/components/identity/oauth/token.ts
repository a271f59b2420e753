/** The token of a request: from the Authorization header, and from nowhere else (RFC 6750 §2.1, MCP basic/authorization). */
import { createHash } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';

export interface Presented {
  readonly scheme: 'Bearer' | 'DPoP';
  readonly token: string;
  /** SHA-256 in hex. */
  readonly sha256: string;
}

/** `b64token` of RFC 6750 §2.1; nothing before, nothing behind, one space. The scheme is read in any case (RFC 9110 §11.1). */
const CREDENTIALS = /^(bearer|dpop) ([A-Za-z0-9._~+/-]+=*)$/i;
/** Tokens that gateways of this kind make themselves: other parts know them, and no issuer is shown one. */
const OWN = /^sp[a-z]_/;

export function presentedIn(authorization: string | undefined): Presented | undefined {
  const [, scheme, token] = CREDENTIALS.exec(authorization ?? '') ?? [];
  if (scheme === undefined || token === undefined || OWN.test(token)) return undefined;
  const sha256 = createHash('sha256').update(token).digest('hex');
  return { scheme: scheme.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer', token, sha256 };
}

/** Longer ones are refused unread. Entra's with 200 groups have some 12 KB. */
export const LONGEST = 16 * 1024;

/** Whom a token names as its issuer, before anything is verified; undefined: it is no JWT. */
export function claimedIssuer(token: string): { readonly iss: unknown } | undefined {
  if (token.split('.').length !== 3) return undefined;
  try {
    decodeProtectedHeader(token);
    return { iss: decodeJwt(token).iss };
  } catch {
    return undefined;
  }
}
