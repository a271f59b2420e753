/** The contract of a stage, and what it is given. */
import type { EmbeddedAsk } from './asks.ts';
import type { Open } from './ledger.ts';
import type { Direction, Era, Exchange, Id, Message, MessageKind } from './exchange.ts';
import type { StageName } from './pipeline.ts';
import type { Arrival, Grant, Outlet, Reading, Reply, Session } from './ports.ts';
import type { Principal } from './principal.ts';
import type { Deny, Obligation, Step, Verdict } from './verdict.ts';

/** Something found in a message, for policy, redaction and the record. Never holds the found value itself. */
export interface Finding {
  readonly by: string;
  readonly kind: string;
  readonly severity: 'info' | 'low' | 'medium' | 'high' | 'critical';
  readonly path: string;
}

/** A value computed for policy: canonical path, URL host, data classes. */
export type Facts = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/**
 * One message on its way through one crossing. Stages fill in what they find out; asking for something that no stage
 * has found out yet throws, and a stage that throws denies.
 */
export class Crossing {
  readonly direction: Direction;
  readonly findings: Finding[] = [];
  readonly obligations: Obligation[] = [];
  readonly trail: Step[] = [];
  /** False for what observe mode never relaxes: a stage sets it when it denies for a reason that law 13 excepts. */
  relaxable = true;
  /** The agent hung up before its message had an exchange that could be cancelled. */
  abandoned = false;
  facts: Facts = {};
  kind: MessageKind;
  #arrival: Arrival | undefined;
  #reply: Reply | undefined;
  #principal: Principal | undefined;
  #reading: Extract<Reading, { ok: true }> | undefined;
  #message: Message | undefined;
  #exchange: Exchange | undefined;
  session: Session | undefined;
  /** WWW-Authenticate values for a 401. */
  challenges: readonly string[] = [];
  /** Headers that go with them (RFC 9449 §9: DPoP-Nonce). */
  challengeHeaders: readonly (readonly [name: string, value: string])[] = [];
  /** Given back when the body is read, or the message refused before. */
  readonly whenRead: (() => void)[] = [];
  /** What is known of a message that could not be read. */
  unreadable: { readonly requestId: Id | undefined; readonly era: Era } | undefined;
  /** Inward: set by `credential`, taken by `forward`; no stage between reads it. Outward: the grant whose secrets must not come back. */
  grant: Grant | undefined;
  /** Why the outward message is not one: the other side's fault, found while reading. */
  fault: Deny | undefined;
  /** Outward closings: what a modern server asks within its result. */
  asks: readonly EmbeddedAsk[] = [];
  /** Inward retries: the asks of the exchange that is continued, key → child exchange. */
  asked: Readonly<Record<string, string>> = {};
  /** Outward closings: the gateway's own question, whose asks have crossed already. */
  parks = false;
  /** Inward retries: the parked exchange whose call goes on. */
  continues: Open | undefined;
  /** Outward asks: who is told the answer. */
  answered: Parameters<Outlet['ask']>[1] | undefined;

  constructor(direction: Direction, kind: MessageKind) {
    this.direction = direction;
    this.kind = kind;
  }

  get arrival(): Arrival {
    return known(this.#arrival, 'arrival');
  }
  set arrival(value: Arrival) {
    this.#arrival = value;
  }
  get reply(): Reply {
    return known(this.#reply, 'reply');
  }
  set reply(value: Reply) {
    this.#reply = value;
  }
  get principal(): Principal {
    return known(this.#principal, 'principal');
  }
  set principal(value: Principal) {
    this.#principal = value;
  }
  get reading(): Extract<Reading, { ok: true }> {
    return known(this.#reading, 'reading');
  }
  set reading(value: Extract<Reading, { ok: true }>) {
    this.#reading = value;
  }
  get message(): Message {
    return known(this.#message, 'message');
  }
  set message(value: Message) {
    this.#message = value;
  }
  get exchange(): Exchange {
    return known(this.#exchange, 'exchange');
  }
  set exchange(value: Exchange) {
    this.#exchange = value;
  }

  /** For records of refusals: what is known so far, without throwing. */
  sofar(): {
    readonly arrival: Arrival | undefined;
    readonly principal: Principal | undefined;
    readonly exchange: Exchange | undefined;
    readonly message: Message | undefined;
    readonly reading: Extract<Reading, { ok: true }> | undefined;
  } {
    return {
      arrival: this.#arrival,
      principal: this.#principal,
      exchange: this.#exchange,
      message: this.#message,
      reading: this.#reading,
    };
  }
}

function known<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`no stage has set the ${name} of this crossing yet`);
  return value;
}

export interface Stage {
  readonly name: StageName;
  /** Synchronous where it can be: a stage that needs no waiting costs no waiting. */
  pass(crossing: Crossing): Verdict | Promise<Verdict>;
}
