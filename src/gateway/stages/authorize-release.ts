/**
 * May data go out to this principal? And, for a long exchange whose policy has moved since it was opened: may it still
 * listen at all? (architecture §2: authorized again when its epoch moves)
 */
import { epochOf, type House } from '../house.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, type Verdict } from '../verdict.ts';
import { verdictOf } from './authorize.ts';
import { questionOf } from './question.ts';

export function authorizeRelease(house: House): Stage {
  return { name: 'authorizeRelease', pass: (crossing) => decide(crossing, house) };
}

function decide(crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  const { exchange } = crossing;
  const question = questionOf(exchange, crossing.facts, house);
  const asks = crossing.asks.map(({ row }) => house.parts.policy.release({ ...question, action: row.action }));
  const refused = asks.find(({ effect }) => effect !== 'permit');
  if (refused) return released(refused);
  const epoch = epochOf(house);
  if (exchange.epoch === epoch || exchange.parent) return released(house.parts.policy.release(question));
  const again = house.parts.policy.decide(question);
  const settle = (verdict: Verdict): Verdict => {
    if (verdict.effect !== 'pass') return verdict;
    exchange.epoch = epoch;
    return released(house.parts.policy.release(question));
  };
  return again instanceof Promise ? again.then((decision) => settle(verdictOf(decision))) : settle(verdictOf(again));
}

function released(decision: Parameters<typeof verdictOf>[0]): Verdict {
  const verdict = verdictOf(decision);
  return verdict.effect === 'deny' ? deny('release_refused', { rules: verdict.rules }) : verdict;
}
