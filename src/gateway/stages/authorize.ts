/** May this principal do exactly this, now, in this run? Silence denies. */
import type { Decision } from '../../components/policy/policy.ts';
import type { House } from '../house.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, pass, type Verdict } from '../verdict.ts';
import { questionOf, serverOf } from './question.ts';

export function authorize(house: House): Stage {
  return { name: 'authorize', pass: (crossing) => decide(crossing, house) };
}

function decide(crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  const short = insufficient(crossing, house);
  if (short) return short;
  const decision = house.parts.policy.decide(questionOf(crossing.exchange, crossing.facts, house));
  return decision instanceof Promise ? decision.then(verdictOf) : verdictOf(decision);
}

/** The part that identified the principal says which scopes its proof lacks, so that the agent can ask for them (RFC 6750). */
function insufficient(crossing: Crossing, house: House): Verdict | undefined {
  const { exchange } = crossing;
  for (const part of house.parts.identity) {
    const found = part.sufficient?.(
      exchange.principal,
      exchange.row.action,
      serverOf(exchange.target),
      exchange.endpoint,
    );
    if (!found || found.sufficient) continue;
    crossing.challenges = [found.challenge];
    return deny('insufficient_scope', { detail: found.detail });
  }
  return undefined;
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
