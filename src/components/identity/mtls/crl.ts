/**
 * Certificate revocation lists (RFC 5280 §5): DER, or PEM around it. A list is taken when its signature is that of a known
 * authority. What it says in ways that this reader does not know (indirect and partial lists, deltas: all of them critical
 * extensions) is refused as a whole.
 */
import { verify, type KeyObject } from 'node:crypto';
import { expectTag, extensionsIn, partsOf, readDer, TAG, timeIn, type Tlv } from './der.ts';

export interface RevocationList {
  /** Epoch milliseconds at which a newer list must be there. */
  readonly until: number;
  /** The content octets of revoked serial numbers, in hexadecimal. */
  readonly serials: ReadonlySet<string>;
  signedBy(key: KeyObject): boolean;
}

/** Signature algorithms by object identifier, and their digest; Ed25519 has none of its own. */
const DIGESTS: Readonly<Record<string, string | null>> = {
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '2b6570': null,
};

/** @throws Error that says what is wrong with the list */
export function readList(file: Buffer): RevocationList {
  const [tbs, algorithm, signature] = partsOf(expectTag(readDer(derOf(file)), TAG.sequence));
  const signed = expectTag(tbs, TAG.sequence);
  const { until, serials, inner } = contentOf(signed);
  if (!inner.whole.equals(expectTag(algorithm, TAG.sequence).whole)) throw new Error('two algorithms are named');
  const bits = expectTag(signature, TAG.bits).content;
  const digest = DIGESTS[expectTag(partsOf(inner)[0], TAG.oid).content.toString('hex')];
  if (digest === undefined) throw new Error('the signature algorithm is not one of those that are read');
  return { until, serials, signedBy: (key) => verifies(digest, signed.whole, key, bits.subarray(1)) };
}

function verifies(digest: string | null, data: Buffer, key: KeyObject, signature: Buffer): boolean {
  try {
    return verify(digest, data, key, signature);
  } catch {
    // The key is of another kind than the signature.
    return false;
  }
}

function derOf(file: Buffer): Buffer {
  const pem = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/.exec(file.toString('latin1'))?.[1];
  return pem === undefined ? file : Buffer.from(pem, 'base64');
}

function contentOf(tbs: Tlv): { readonly until: number; readonly serials: ReadonlySet<string>; readonly inner: Tlv } {
  const parts = [...partsOf(tbs)];
  if (parts[0]?.tag === TAG.integer) parts.shift();
  const inner = expectTag(parts.shift(), TAG.sequence);
  expectTag(parts.shift(), TAG.sequence);
  timeIn(required(parts.shift()));
  const until = isTime(parts[0]) ? timeIn(required(parts.shift())) : Infinity;
  const revoked = parts[0]?.tag === TAG.sequence ? partsOf(required(parts.shift())) : [];
  const extensions = parts.shift();
  if (extensions) assertKnown(required(partsOf(expectTag(extensions, 0xa0))[0]));
  if (parts.length > 0) throw new Error('something follows the list');
  return { until, serials: new Set(revoked.map(serialOf)), inner };
}

function required(tlv: Tlv | undefined): Tlv {
  if (tlv === undefined) throw new Error('the list is cut');
  return tlv;
}

function isTime(tlv: Tlv | undefined): boolean {
  return tlv?.tag === 0x17 || tlv?.tag === 0x18;
}

function serialOf(entry: Tlv): string {
  const [serial, , extensions] = partsOf(expectTag(entry, TAG.sequence));
  if (extensions) assertKnown(extensions);
  return expectTag(serial, TAG.integer).content.toString('hex');
}

function assertKnown(extensions: Tlv): void {
  const strange = extensionsIn(extensions).find(({ critical }) => critical);
  if (strange) throw new Error('it is an indirect, partial or delta list, which is not read');
}
