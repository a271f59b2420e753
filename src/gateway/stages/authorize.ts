/** May this principal do exactly this, now, in this run? Silence denies. */
import type { Decision } from '../../components/policy/policy.ts';
import type { House } from '../house.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, pass, type Verdict } from '../verdict.ts';
import { questionOf } from './question.ts';

export function authorize(house: House): Stage {
  return { name: 'authorize', pass: (crossing) => decide(crossing, house) };
}

function decide(crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  const decision = house.parts.policy.decide(questionOf(crossing.exchange, crossing.facts, house));
  return decision instanceof Promise ? decision.then(verdictOf) : verdictOf(decision);
}

export function verdictOf(decision: Decision): Verdict {
  switch (decision.effect) {
    case 'permit':
      return pass(decision.rules, decision.obligations);
    case 'silence':
      return deny('not_permitted');
    case 'forbid':
      return deny('forbidden', { rules: decision.rules });
  }
}
