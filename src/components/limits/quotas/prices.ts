/** What a call costs: a call, money or another unit by its weight, or its bytes. */
import type { Exchange } from '../../../gateway/exchange.ts';
import type { Price } from './allotment.ts';
import { MILLIONTHS, type Rule } from './settings.ts';

/** What a later stage refused was never made, and costs nothing. */
export const QUOTA_PRICE: Price = {
  asked: () => 1,
  final: (asked, { sent }) => (sent ? asked : 0),
};

/** The answer is counted when it has come: a window may be passed by the answers that were under way. */
export const bytesPrice: Price = {
  asked: ({ opening }) => opening.doc.bytes.length,
  final: (asked, { sent, bytes }) => (sent ? asked + bytes : 0),
};

export function budgetPrice({ weights, other, charge }: NonNullable<Rule['budget']>): Price {
  const known = new Map(Object.entries(weights));
  return {
    asked: ({ target }) => Math.round(weightOf(target, known, other) * MILLIONTHS),
    final: (asked, { sent, status }) => (sent && (charge === 'sent' || status === 'result') ? asked : 0),
  };
}

/** A tool's own weight, else its server's; names of servers hold no slash, so the two never meet. */
function weightOf(target: Exchange['target'], weights: ReadonlyMap<string, number>, other: number): number {
  if (target.of !== 'definition' && target.of !== 'task') return other;
  const own = target.of === 'definition' ? weights.get(`${target.server}/${target.name}`) : undefined;
  return own ?? weights.get(target.server) ?? other;
}
