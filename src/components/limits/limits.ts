/** Limits: how much of what. Several parts may stand side by side; all must agree. */
import type { Part } from '../../gateway/component.ts';
import type { Exchange } from '../../gateway/exchange.ts';
import type { Arrival, OutcomeStatus } from '../../gateway/ports.ts';
import type { Principal } from '../../gateway/principal.ts';

/** What came of an exchange: for limits that know only afterwards what it cost. */
export interface Ended {
  readonly status: OutcomeStatus;
  /** Whether it went on its way to whoever answers it; false: something later refused it. */
  readonly sent: boolean;
  /** Of everything that came back for it: answers, events and asks. */
  readonly bytes: number;
}

export type Allowance =
  | {
      readonly allowed: true;
      /** Called once, when the exchange or the reading ends; `ended` is there for exchanges. */
      readonly done: ((ended?: Ended) => void) | undefined;
    }
  | {
      readonly allowed: false;
      readonly limit: string;
      /** Milliseconds. */ readonly retryAfter: number | undefined;
      /** It is no lack of room: the same call came too often, and the agent is told so. */ readonly loop?: boolean;
    };

export interface Limits extends Part {
  /** Before a body is read. */
  reading(principal: Principal, arrival: Arrival): Allowance;
  /** Before an exchange goes on. */
  opening(exchange: Exchange): Allowance | Promise<Allowance>;
}
