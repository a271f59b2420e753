/**
 * Who is it? Identity parts are asked in order; the first that recognizes a proof decides. A wrong proof is never
 * repaired by a weaker part further down. Whoever is identified is looked up in the registry of agents before anything else.
 */
import type { Identified, Identity } from '../../components/identity/identity.ts';
import type { House } from '../house.ts';
import type { Agents } from '../ports.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';

export function authenticate(house: House, agents: Agents = house.agents): Stage {
  return { name: 'authenticate', pass: (crossing) => from(house.parts.identity, 0, crossing, [], agents) };
}

function from(
  parts: readonly Identity[],
  first: number,
  crossing: Crossing,
  challenges: string[],
  agents: Agents,
): Verdict | Promise<Verdict> {
  for (let index = first; index < parts.length; index += 1) {
    const identified = parts[index]!.identify(crossing.arrival);
    if (identified instanceof Promise) {
      return identified.then(
        (found) => take(found, crossing, challenges, agents) ?? from(parts, index + 1, crossing, challenges, agents),
      );
    }
    const verdict = take(identified, crossing, challenges, agents);
    if (verdict) return verdict;
  }
  crossing.challenges = challenges;
  return deny('unauthenticated');
}

function take(identified: Identified, crossing: Crossing, challenges: string[], agents: Agents): Verdict | undefined {
  if (identified.known) {
    crossing.principal = identified.principal;
    return registered(crossing, agents);
  }
  if (identified.challenge !== undefined) challenges.push(identified.challenge);
  if (identified.headers) crossing.challengeHeaders = identified.headers;
  if (identified.why === 'absent') return undefined;
  crossing.challenges = challenges;
  return deny('credentials_rejected', { detail: identified.detail });
}

/** The refusal of a blocked agent names who was identified. */
function registered(crossing: Crossing, agents: Agents): Verdict {
  const known = agents.known(crossing.principal);
  if ('effect' in known) return known;
  crossing.principal = known;
  return PASS;
}
