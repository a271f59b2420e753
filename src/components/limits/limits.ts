/** Limits: how much of what. Several parts may stand side by side; all must agree. */
import type { Part } from '../../gateway/component.ts';
import type { Exchange } from '../../gateway/exchange.ts';
import type { Arrival } from '../../gateway/ports.ts';
import type { Principal } from '../../gateway/principal.ts';

export type Allowance =
  | {
      readonly allowed: true;
      /** Called once, when the exchange or the reading ends. */ readonly done: (() => void) | undefined;
    }
  | { readonly allowed: false; readonly limit: string; /** Milliseconds. */ readonly retryAfter: number | undefined };

export interface Limits extends Part {
  /** Before a body is read. */
  reading(principal: Principal, arrival: Arrival): Allowance;
  /** Before an exchange goes on. */
  opening(exchange: Exchange): Allowance | Promise<Allowance>;
}
