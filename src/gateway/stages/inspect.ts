/** What is in the message? Findings and facts for policy and redaction; a part may also refuse outright. */
import type { Inspected, Inspection } from '../../components/inspection/inspection.ts';
import type { House } from '../house.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';

export function inspect(house: House): Stage {
  return { name: 'inspect', pass: (crossing) => from(house.parts.inspection, 0, crossing) };
}

function from(parts: readonly Inspection[], first: number, crossing: Crossing): Verdict | Promise<Verdict> {
  for (let index = first; index < parts.length; index += 1) {
    const inspected = parts[index]!.inspect(crossing.message, crossing.exchange, crossing.direction);
    if (inspected instanceof Promise)
      return inspected.then((found) => take(found, crossing) ?? from(parts, index + 1, crossing));
    const verdict = take(inspected, crossing);
    if (verdict) return verdict;
  }
  return PASS;
}

function take(inspected: Inspected, crossing: Crossing): Verdict | undefined {
  crossing.findings.push(...inspected.findings);
  crossing.facts = { ...crossing.facts, ...inspected.facts };
  return inspected.refuse === undefined ? undefined : deny('inspection_refused', { detail: inspected.refuse });
}
