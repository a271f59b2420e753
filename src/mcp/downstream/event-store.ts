/**
 * What a legacy session was sent, kept for a while, so that an agent whose connection broke can go on where it stopped
 * (2025-11-25 basic/transports, "Resumability and redelivery"). Ids are found in their own session only.
 */
import { sseEvent } from '../codec/sse.ts';
import type { Clock } from '../../lib/clock.ts';
import { newId } from '../../lib/ids.ts';
import type { Outgoing } from './outgoing.ts';
import { primes } from './revisions.ts';

export interface EventStoreSettings {
  /** Events and bytes that one session keeps; the oldest are forgotten first. */
  readonly events: number;
  readonly bytes: number;
  /** Milliseconds that an agent is told to wait before it connects again. */
  readonly retry: number;
}

export const EVENT_STORE: EventStoreSettings = { events: 512, bytes: 4 * 1024 * 1024, retry: 1000 };

interface Kept {
  readonly stream: ResumableStream;
  readonly sequence: number;
  readonly bytes: Buffer;
}

/** One stream of a session: that of a request, or the standing one (GET). It outlives its connections. */
export class ResumableStream {
  readonly id: string;
  readonly #store: EventStore;
  #sink: Outgoing | undefined;
  #last = 0;
  #delivered = 0;
  #finished = false;

  constructor(id: string, store: EventStore) {
    this.id = id;
    this.#store = store;
  }

  get attached(): boolean {
    return this.#sink?.streaming ?? false;
  }

  get over(): boolean {
    return this.#finished;
  }

  send(json: Buffer): void | Promise<void> {
    this.#last += 1;
    const bytes = sseEvent(json, { event: 'message', id: `${this.id}.${this.#last}` });
    this.#store.keep(this, this.#last, bytes);
    if (!this.attached) return;
    this.#delivered = this.#last;
    return this.#sink!.write(bytes);
  }

  finish(): void {
    this.#finished = true;
    this.#sink?.end();
  }

  /** Sends what came after `after`; without it, what never reached a connection. A connection before this one ends. */
  attach(sink: Outgoing, after = this.#delivered): void {
    if (this.#sink !== sink) this.#sink?.end();
    this.#sink = sink;
    sink.stream();
    if (primes(this.#store.version)) void sink.write(this.#priming(after));
    for (const bytes of this.#store.after(this, after)) void sink.write(bytes);
    this.#delivered = this.#last;
    if (this.#finished) sink.end();
  }

  #priming(after: number): Buffer {
    return sseEvent('', { id: `${this.id}.${after}`, retry: this.#store.settings.retry });
  }
}

/** The streams of one session. */
export class EventStore {
  readonly version: string;
  readonly settings: EventStoreSettings;
  readonly standing: ResumableStream;
  readonly #clock: Clock;
  readonly #streams = new Map<string, ResumableStream>();
  readonly #kept: Kept[] = [];
  #size = 0;

  constructor(version: string, clock: Clock, settings: EventStoreSettings = EVENT_STORE) {
    this.version = version;
    this.settings = settings;
    this.#clock = clock;
    this.standing = this.open();
  }

  open(): ResumableStream {
    const stream = new ResumableStream(newId(this.#clock), this);
    this.#streams.set(stream.id, stream);
    return stream;
  }

  /** The stream and the place in it that `Last-Event-ID` names; undefined when this session knows no such event. */
  find(lastEventId: string): { stream: ResumableStream; after: number } | undefined {
    const [, id, sequence] = /^([0-9a-z]{32})\.([0-9]{1,9})$/.exec(lastEventId) ?? [];
    const stream = id === undefined ? undefined : this.#streams.get(id);
    return stream === undefined ? undefined : { stream, after: Number(sequence) };
  }

  keep(stream: ResumableStream, sequence: number, bytes: Buffer): void {
    this.#kept.push({ stream, sequence, bytes });
    this.#size += bytes.length;
    while (this.#kept.length > this.settings.events || this.#size > this.settings.bytes) this.#forgetOldest();
  }

  *after(stream: ResumableStream, sequence: number): Generator<Buffer> {
    for (const kept of this.#kept) if (kept.stream === stream && kept.sequence > sequence) yield kept.bytes;
  }

  /** A stream is forgotten with its last kept event; before that its end can be replayed. */
  forgetIfOver(stream: ResumableStream): void {
    if (stream === this.standing || this.#kept.some((kept) => kept.stream === stream)) return;
    this.#streams.delete(stream.id);
  }

  close(): void {
    for (const stream of this.#streams.values()) stream.finish();
    this.#streams.clear();
    this.#kept.length = 0;
    this.#size = 0;
  }

  #forgetOldest(): void {
    const oldest = this.#kept.shift();
    if (oldest === undefined) return;
    this.#size -= oldest.bytes.length;
    if (oldest.stream.over) this.forgetIfOver(oldest.stream);
  }
}
