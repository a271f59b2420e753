/** One certificate: what OpenSSL reads of it, and the names and limits that Node does not give in a form to compare. */
import { X509Certificate } from 'node:crypto';
import { expectTag, extensionsIn, partsOf, readDer, TAG, type Extension, type Tlv } from './der.ts';

export interface Certificate {
  readonly x509: X509Certificate;
  /** Content octets in hexadecimal, as revocation lists have them. */
  readonly serial: string;
  /** Epoch milliseconds. */
  readonly from: number;
  readonly until: number;
  readonly uris: readonly string[];
  /** Lower case; names with a wildcard stand for nobody in particular and are left out. */
  readonly dns: readonly string[];
  readonly subject: Readonly<Record<Attribute, readonly string[]>>;
  readonly authority: boolean;
  /** How many authorities may stand below this one. */
  readonly pathLength: number;
  /** Undefined: no extension says it, so it may do everything. */
  readonly mayCertify: boolean | undefined;
  readonly mayBeClient: boolean | undefined;
  /** A critical extension that nothing here understands (RFC 5280 §4.2: then it must be refused). */
  readonly strange: string | undefined;
}

export type Attribute = 'CN' | 'O' | 'OU';

const OID = {
  keyUsage: '551d0f',
  names: '551d11',
  constraints: '551d13',
  extendedUsage: '551d25',
} as const;
const ATTRIBUTES: Readonly<Record<string, Attribute>> = { '550403': 'CN', '55040a': 'O', '55040b': 'OU' };
const CLIENT_AUTH = '2b06010505070302';
const ANY_USAGE = '551d2500';
const KNOWN: ReadonlySet<string> = new Set(Object.values(OID));

/** @throws Error for what is no certificate */
export function readCertificate(der: Buffer): Certificate {
  const x509 = new X509Certificate(der);
  const tbs = partsOf(expectTag(partsOf(readDer(x509.raw))[0], TAG.sequence));
  const first = tbs[0]?.tag === 0xa0 ? 1 : 0;
  const extensions = extensionsOf(tbs);
  const value = (id: string): Tlv | undefined => {
    const found = extensions.find((one) => one.id === id);
    return found && readDer(found.value);
  };
  return {
    x509,
    serial: expectTag(tbs[first], TAG.integer).content.toString('hex'),
    from: x509.validFromDate.getTime(),
    until: x509.validToDate.getTime(),
    ...alternativeNames(value(OID.names)),
    subject: attributesIn(expectTag(tbs[first + 4], TAG.sequence)),
    ...constraints(value(OID.constraints)),
    mayCertify: mayCertify(value(OID.keyUsage)),
    mayBeClient: mayBeClient(value(OID.extendedUsage)),
    strange: extensions.find(({ id, critical }) => critical && !KNOWN.has(id))?.id,
  };
}

function extensionsOf(tbs: readonly Tlv[]): readonly Extension[] {
  const explicit = tbs.find(({ tag }) => tag === 0xa3);
  if (!explicit) return [];
  const [sequence] = partsOf(explicit);
  return extensionsIn(expectTag(sequence, TAG.sequence));
}

/** GeneralNames as DER has them: a text form of them has been fooled by commas before (CVE-2021-44532). */
function alternativeNames(names: Tlv | undefined): Pick<Certificate, 'uris' | 'dns'> {
  const all = names ? partsOf(expectTag(names, TAG.sequence)) : [];
  const texts = (tag: number) => all.filter((one) => one.tag === tag).map(({ content }) => content.toString('latin1'));
  const dns = texts(0x82).map((name) => name.toLowerCase());
  return { uris: texts(0x86), dns: dns.filter((name) => /^[a-z0-9._-]+$/.test(name)) };
}

function attributesIn(name: Tlv): Certificate['subject'] {
  const found: Record<Attribute, string[]> = { CN: [], O: [], OU: [] };
  for (const pair of partsOf(name).flatMap((set) => partsOf(expectTag(set, TAG.set)))) {
    const [id, text] = partsOf(expectTag(pair, TAG.sequence));
    const attribute = ATTRIBUTES[expectTag(id, TAG.oid).content.toString('hex')];
    if (attribute && text) found[attribute].push(textIn(text));
  }
  return found;
}

/** UTF8String, PrintableString, IA5String. Older kinds of strings have several readings, so they equal nothing. */
function textIn({ tag, content }: Tlv): string {
  return tag === 0x0c || tag === 0x13 || tag === 0x16 ? content.toString('utf8') : '';
}

function constraints(value: Tlv | undefined): Pick<Certificate, 'authority' | 'pathLength'> {
  const [authority, length] = value ? partsOf(expectTag(value, TAG.sequence)) : [];
  const isAuthority = authority?.tag === TAG.boolean && authority.content[0] === 0xff;
  return {
    authority: isAuthority,
    pathLength: length ? length.content.readUIntBE(0, length.content.length) : Infinity,
  };
}

/** Bit 5, keyCertSign (RFC 5280 §4.2.1.3). */
function mayCertify(usage: Tlv | undefined): boolean | undefined {
  return usage && ((expectTag(usage, TAG.bits).content[1] ?? 0) & 0x04) !== 0;
}

function mayBeClient(usage: Tlv | undefined): boolean | undefined {
  const ids = usage && partsOf(expectTag(usage, TAG.sequence)).map(({ content }) => content.toString('hex'));
  return ids?.some((id) => id === CLIENT_AUTH || id === ANY_USAGE);
}
