/** A record as one line. Payloads stand in it byte for byte, so that big integers survive and nothing is written twice. */
import { Payload } from '../../../gateway/payload.ts';
import type { AuditRecord, RecordBody } from '../record.ts';

export type Bodies = 'full' | 'digest';

/** Bytes of memory that are kept from line to line. */
const KEPT = 64 * 1024;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

export class Lines {
  readonly #bodies: Bodies;
  readonly #kept = Buffer.allocUnsafeSlow(KEPT);
  #bytes = this.#kept;
  #length = 0;
  /** What follows the bytes so far. */
  #text = '';

  constructor(bodies: Bodies) {
    this.#bodies = bodies;
  }

  /** Good until the next call. What tells attempts from outcomes comes first: a restart reads the heads of lines only. */
  line(record: AuditRecord): Buffer {
    this.#bytes = this.#kept;
    this.#length = 0;
    this.#text = headOf(record);
    for (const key in record) this.#member(key, record[key as keyof AuditRecord]);
    this.#text += '}\n';
    this.#flush(0);
    return this.#bytes.subarray(0, this.#length);
  }

  #member(key: string, value: unknown): void {
    if (value === undefined) return;
    switch (key) {
      case 'v':
      case 'at':
      case 'id':
      case 'type':
      case 'exchange':
      case 'run':
      case 'gateway':
        return;
      case 'principal':
        this.#text += `,"principal":${textOf(value as object)}`;
        return;
      case 'params':
      case 'result':
        this.#text += `,"${key}":`;
        return this.#body(value as RecordBody);
      case 'events':
        return this.#events(value as Events);
      default:
        this.#text += `,${JSON.stringify(key)}:${JSON.stringify(value)}`;
    }
  }

  #events(events: Events): void {
    this.#text += ',"events":[';
    events.forEach(({ body, ...event }, index) => {
      this.#text += `${index === 0 ? '' : ','}${JSON.stringify(event).slice(0, -1)},"body":`;
      this.#body(body);
      this.#text += '}';
    });
    this.#text += ']';
  }

  #body(body: RecordBody): void {
    const { bytes } = body;
    if (this.#bodies === 'digest') this.#text += JSON.stringify({ sha256: body.sha256, bytes });
    else if (body instanceof Payload) this.#payload(body);
    else this.#text += JSON.stringify(body);
  }

  #payload(body: Payload): void {
    const { raw, bytes } = body;
    const broken = raw.includes(NEWLINE) || raw.includes(CARRIAGE_RETURN);
    // A line cannot show its line breaks: then only the digest tells what the bytes were.
    this.#text += broken ? `{"sha256":"${body.sha256}","bytes":${bytes},"json":` : `{"bytes":${bytes},"json":`;
    this.#flush(bytes);
    raw.copy(this.#bytes, this.#length);
    if (broken) unbroken(this.#bytes.subarray(this.#length, this.#length + bytes));
    this.#length += bytes;
    this.#text = '}';
  }

  /** Writes the text so far, with room for `more` bytes behind it. */
  #flush(more: number): void {
    // UTF-8 takes three bytes at most for a unit of UTF-16
    const needed = this.#length + this.#text.length * 3 + more;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(needed);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length += this.#bytes.write(this.#text, this.#length);
    this.#text = '';
  }
}

type Events = Extract<AuditRecord, { type: 'events' }>['events'];

function headOf(record: AuditRecord): string {
  const { v, at, id, type, gateway } = record;
  const { exchange, run } = record as { exchange?: string; run?: string };
  const start = `{"v":${v},"at":${JSON.stringify(at)},"id":${JSON.stringify(id)},"type":"${type}"`;
  return `${start}${named('exchange', exchange)}${named('run', run)},"gateway":${gatewayText(gateway)}`;
}

function named(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`;
}

function gatewayText(gateway: AuditRecord['gateway']): string {
  const { name, version, config } = gateway;
  return texts.get(gateway) ?? remember(gateway, { name, version, config });
}

/** Principals and gateways stay the same objects over many records. */
const texts = new WeakMap<object, string>();

function textOf(value: object): string {
  return texts.get(value) ?? remember(value, value);
}

function remember(key: object, value: object): string {
  const text = JSON.stringify(value);
  texts.set(key, text);
  return text;
}

/** In strict JSON text, line breaks stand between values only: a space means the same. */
function unbroken(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at += 1) {
    if (bytes[at] === NEWLINE || bytes[at] === CARRIAGE_RETURN) bytes[at] = SPACE;
  }
}
