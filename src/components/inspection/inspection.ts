/** Inspection: what is in a message? Findings and facts for policy and redaction; a refusal where no policy is needed. */
import type { Part } from '../../gateway/component.ts';
import type { Direction, Exchange, Message } from '../../gateway/exchange.ts';
import type { Facts, Finding } from '../../gateway/stage.ts';

export interface Inspected {
  readonly findings: readonly Finding[];
  readonly facts: Facts;
  /** Stops the message, whatever policy says. */
  readonly refuse: string | undefined;
}

export interface Inspection extends Part {
  inspect(message: Message, exchange: Exchange, direction: Direction): Inspected | Promise<Inspected>;
}
