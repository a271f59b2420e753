/** What one limit of a rule is: asked once a call, told once how the call ended. */
import type { Exchange } from '../../../gateway/exchange.ts';
import type { Ended } from '../limits.ts';

export interface Meter {
  /** @param key for whom it is counted */
  take(key: string, exchange: Exchange): Answer | Promise<Answer>;
  /** Everything that was taken ahead is given back. */
  close?(): Promise<void>;
}

export type Answer = Taken | Refused;

export interface Taken {
  readonly ok: true;
  /** Another limit refused: as if the call had never come. */
  undo(): void;
  ended(ended: Ended | undefined): void;
}

export interface Refused {
  readonly ok: false;
  readonly limit: string;
  /** Milliseconds. */
  readonly retryAfter: number;
  readonly loop?: boolean;
}

/** Keys come from strangers: so many are remembered a meter, the least recently used is forgotten first. */
export const REMEMBERED = 100_000;
