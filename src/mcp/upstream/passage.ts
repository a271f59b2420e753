/** One exchange on its way through a connection: from the queue to its last message. */
import type { Exchange, Message } from '../../gateway/exchange.ts';
import type { CancelWhy, Flight, Grant, Outlet, ServerSettings, UpstreamFault } from '../../gateway/ports.ts';
import type { Reason } from '../../gateway/reasons.ts';
import { deny } from '../../gateway/verdict.ts';
import type { Deny } from '../../gateway/verdict.ts';
import type { Call, Connection, Sink } from './connection.ts';
import type { Gate, Waiting } from './gate.ts';
import { asFault } from './own.ts';
import { scrub, secretsOf } from './scrub.ts';

export interface Quay {
  readonly gate: Gate;
  readonly settings: ServerSettings;
  /** The live connection, if there is one. */
  readonly connection: Connection | undefined;
  connected(grant: Grant | undefined): Promise<Connection>;
  /** Milliseconds until the server is tried again; 0: go on. */
  waits(): number;
  /** What is said of a server that is not tried. */
  refusal(wait: number): UpstreamFault;
  arrived(passage: Passage): void;
  left(passage: Passage, how: Leaving): void;
}

/** `answered`: the server was there. `unreached`: no request could be brought to it. `neither`: this says nothing of it. */
export type Leaving = 'answered' | 'unreached' | 'neither';

type State = 'queued' | 'begun' | 'over';

export class Passage implements Sink, Waiting {
  readonly #quay: Quay;
  readonly #exchange: Exchange;
  readonly #outlet: Outlet;
  readonly #grant: Grant | undefined;
  /** Asks that the agent has not answered yet. */
  asking = 0;
  #state: State = 'queued';
  #connection: Connection | undefined;
  #call: Call | undefined;
  #status: number | undefined;
  #sending = false;

  constructor(quay: Quay, exchange: Exchange, outlet: Outlet, grant: Grant | undefined) {
    this.#quay = quay;
    this.#exchange = exchange;
    this.#outlet = outlet;
    this.#grant = grant;
    quay.arrived(this);
    quay.gate.enter(this);
  }

  /** What the core holds of it. */
  flight(): Flight {
    return { cancel: (why) => this.#cancel(why), event: (message) => this.#tell(message) };
  }

  begin(): void {
    this.#state = 'begun';
    const wait = this.#quay.waits();
    if (wait > 0) return this.fail('upstream_unavailable', this.#quay.refusal(wait).message, wait);
    const { connection } = this.#quay;
    if (connection !== undefined) return this.#send(connection);
    this.#quay.connected(this.#grant).then(
      (opened) => this.#send(opened),
      (error: unknown) => {
        const { reason, message, retryAfter } = asFault(error);
        this.fail(reason === 'credential_unavailable' ? reason : 'upstream_unavailable', message, retryAfter);
      },
    );
  }

  turnedAway(): void {
    this.fail('upstream_unavailable', 'too many calls wait for this server');
  }

  event(message: Message): void | Promise<void> {
    return this.#state === 'over' ? undefined : this.#outlet.event(message);
  }

  ask(message: Message, answered: (answer: Message | Deny) => void): void {
    if (this.#state === 'over') return answered(deny('ask_not_possible'));
    this.asking += 1;
    this.#outlet.ask(message, (answer) => {
      this.asking -= 1;
      answered(answer);
    });
  }

  close(message: Message): void {
    if (this.#finish('answered')) this.#outlet.close(message);
  }

  refused(status: number): void {
    this.#status = status;
  }

  fail(reason: Reason, detail: string, retryAfter?: number): void {
    if (!this.#finish(this.#how(reason))) return;
    this.#outlet.fail(reason, scrub(detail, secretsOf(this.#quay.settings, this.#grant)), retryAfter);
  }

  /** Only what went out counts: the channel itself counts connections that cannot be opened. */
  #how(reason: Reason): Leaving {
    if (!this.#sending) return 'neither';
    if (this.#status !== undefined && this.#status !== 503) return 'answered';
    return reason === 'upstream_unavailable' ? 'unreached' : 'neither';
  }

  /** The connection ends under it. */
  abandon(detail: string): void {
    this.fail(this.#call === undefined ? 'upstream_unavailable' : 'upstream_lost', detail);
  }

  #cancel(why: CancelWhy): void {
    if (!this.#finish('neither')) return;
    if (this.#call !== undefined) this.#connection?.cancel(this.#call, why);
  }

  #tell(message: Message): void {
    if (this.#state !== 'over') this.#connection?.tell(message, this.#grant);
  }

  #send(connection: Connection): void {
    if (this.#state === 'over') return;
    this.#connection = connection;
    this.#sending = true;
    try {
      if (this.#exchange.row.wire === 'notification') this.#sendOff(connection);
      else this.#call = connection.send(this.#exchange, this, this.#grant);
    } catch (error) {
      this.fail('stage_failed', asFault(error).message);
    }
  }

  /** Nobody answers a notification. */
  #sendOff(connection: Connection): void {
    connection.tell(this.#exchange.opening, this.#grant);
    this.#finish('neither');
  }

  #finish(how: Leaving): boolean {
    if (this.#state === 'over') return false;
    const { gate } = this.#quay;
    const begun = this.#state === 'begun';
    this.#state = 'over';
    this.#quay.left(this, how);
    if (begun) gate.leave();
    else gate.withdraw(this);
    return true;
  }
}
