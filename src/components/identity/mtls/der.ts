/** A strict reader of DER (X.690 §10), as much of it as certificates and revocation lists need. Whatever is not DER throws. */

export interface Tlv {
  /** The identifier octet. */
  readonly tag: number;
  readonly content: Buffer;
  /** With its own identifier and length: what signatures are over. */
  readonly whole: Buffer;
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The one value that `bytes` are. */
export function readDer(bytes: Buffer): Tlv {
  const found = at(bytes, 0);
  if (found.whole.length !== bytes.length) throw new Error('something follows the value');
  return found;
}

/** What a constructed value is made of, in order. */
export function partsOf(parent: Tlv): readonly Tlv[] {
  const parts: Tlv[] = [];
  for (let offset = 0; offset < parent.content.length;) {
    const part = at(parent.content, offset);
    parts.push(part);
    offset += part.whole.length;
  }
  return parts;
}

export function expectTag(tlv: Tlv | undefined, tag: number): Tlv {
  if (tlv?.tag !== tag) throw new Error(`expected tag ${tag}, found ${tlv?.tag ?? 'nothing'}`);
  return tlv;
}

function at(bytes: Buffer, offset: number): Tlv {
  const tag = byteAt(bytes, offset);
  if ((tag & 0x1f) === 0x1f) throw new Error('tags of several octets are not read');
  const { length, start } = lengthAt(bytes, offset + 1);
  const end = start + length;
  if (end > bytes.length) throw new Error('the value is cut');
  return { tag, content: bytes.subarray(start, end), whole: bytes.subarray(offset, end) };
}

/** Definite and as short as can be (§10.1): another spelling of a length would be another reading of what follows. */
function lengthAt(bytes: Buffer, offset: number): { readonly length: number; readonly start: number } {
  const first = byteAt(bytes, offset);
  if (first < 0x80) return { length: first, start: offset + 1 };
  const octets = first & 0x7f;
  if (octets === 0 || octets > 4) throw new Error('the length is indefinite or too long');
  let length = 0;
  for (let index = 1; index <= octets; index += 1) length = length * 256 + byteAt(bytes, offset + index);
  if (length < 0x80 || length < 256 ** (octets - 1)) throw new Error('the length is not as short as it can be');
  return { length, start: offset + 1 + octets };
}

function byteAt(bytes: Buffer, offset: number): number {
  const byte = bytes[offset];
  if (byte === undefined) throw new Error('the value is cut');
  return byte;
}

/** UTCTime or GeneralizedTime in the forms of RFC 5280 §4.1.2.5, as epoch milliseconds. */
export function timeIn({ tag, content }: Tlv): number {
  const text = content.toString('latin1');
  const short = tag === 0x17 && /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  const long = tag === 0x18 && /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  const found = short || long;
  if (!found) throw new Error('not a time');
  const [year, month, day, hour, minute, second] = found.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const whole = long ? year : year + (year < 50 ? 2000 : 1900);
  return Date.UTC(whole, month - 1, day, hour, minute, second);
}

export interface Extension {
  /** Its object identifier, in hexadecimal. */
  readonly id: string;
  readonly critical: boolean;
  readonly value: Buffer;
}

/** RFC 5280 §4.2: none may come twice. */
export function extensionsIn(sequence: Tlv): readonly Extension[] {
  const found = partsOf(expectTag(sequence, TAG.sequence)).map(extension);
  if (new Set(found.map(({ id }) => id)).size !== found.length) throw new Error('an extension comes twice');
  return found;
}

function extension(tlv: Tlv): Extension {
  const parts = partsOf(expectTag(tlv, TAG.sequence));
  const critical = parts.length === 3 && expectTag(parts[1], TAG.boolean).content[0] === 0xff;
  const id = expectTag(parts[0], TAG.oid).content.toString('hex');
  return { id, critical, value: expectTag(parts.at(-1), TAG.octets).content };
}
