/**
 * From an agent's certificate to an authority of the configuration (RFC 5280 §6, as far as it is needed here). Checked: every
 * signature and issuer name, every validity, that authorities are authorities and may certify, path lengths, and that no
 * critical extension is unknown. Not checked, and refused where they are critical: name constraints and policies.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { readCertificate, type Certificate } from './certificate.ts';

/** One signature of the path: who signed, and which serial number revocation lists of that signer would name. */
export interface Link {
  /** SHA-256 of the signer's public key (SPKI), in hexadecimal. */
  readonly signer: string;
  readonly serial: string;
}

export type Path =
  | { readonly ok: true; readonly links: readonly Link[]; readonly from: number; readonly until: number }
  | { readonly ok: false; readonly detail: string };

const LONGEST = 8;

/** The certificates of a PEM bundle. Throws where there is none. */
export function bundleIn(pem: string): readonly Certificate[] {
  const texts = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (texts.length === 0)
    throw new Error('`ca` of identity/mtls holds no certificate: give it PEM, as `${file:ca.pem}`');
  return texts.map((text) => readCertificate(new X509Certificate(text).raw));
}

export function signerOf({ x509 }: Certificate): string {
  return createHash('sha256')
    .update(x509.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** Times are given back and not judged: they are asked again with every message. */
export function pathTo(anchors: readonly Certificate[], leaf: Certificate, between: readonly Certificate[]): Path {
  const unfit = unfitLeaf(leaf);
  if (unfit !== undefined) return { ok: false, detail: unfit };
  const links: Link[] = [];
  let [from, until, below] = [leaf.from, leaf.until, leaf];
  for (let depth = 0; depth < LONGEST; depth += 1) {
    const anchor = anchors.find((one) => signed(one, below));
    const signer = anchor ?? between.find((one) => signed(one, below) && certifies(one, depth));
    if (!signer) break;
    links.push({ signer: signerOf(signer), serial: below.serial });
    [from, until] = [Math.max(from, signer.from), Math.min(until, signer.until)];
    if (anchor) return { ok: true, links, from, until };
    below = signer;
  }
  return { ok: false, detail: 'no authority of the configuration stands behind it' };
}

function unfitLeaf({ authority, mayBeClient, strange }: Certificate): string | undefined {
  if (authority) return 'it is the certificate of an authority';
  if (mayBeClient === false) return 'it is not for clients (extended key usage)';
  return strange === undefined ? undefined : 'it has a critical extension that is not understood';
}

function signed(signer: Certificate, below: Certificate): boolean {
  return below.x509.checkIssued(signer.x509) && below.x509.verify(signer.x509.publicKey);
}

/** `depth`: how many authorities stand below it already. */
function certifies({ authority, mayCertify, pathLength, strange }: Certificate, depth: number): boolean {
  return authority && mayCertify !== false && strange === undefined && depth <= pathLength;
}
