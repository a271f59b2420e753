/** Risk: one number for policy, 0 (none) to 100. */
import type { Part } from '../../gateway/component.ts';
import type { Exchange } from '../../gateway/exchange.ts';

export interface Risk extends Part {
  /** Called once per opening, before authorize. */
  score(exchange: Exchange): number;
}
