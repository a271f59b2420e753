/**
 * Is the server approved, the definition the approved one, and is nobody blocked? Default deny: what is not listed is not
 * reached. The registry is asked again here, because a body may come slowly and its agent be suspended meanwhile.
 */
import type { House } from '../house.ts';
import { outOfReach } from '../reach.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';

export function admit(house: House): Stage {
  return { name: 'admit', pass: (crossing) => blocked(crossing, house) ?? admitted(crossing, house) };
}

function blocked({ exchange }: Crossing, house: House): Verdict | undefined {
  const known = house.agents.known(exchange.principal);
  return 'effect' in known ? known : outOfReach(known, exchange.row.action, exchange.target);
}

function admitted({ exchange }: Crossing, house: House): Verdict {
  if (house.settings.admitted(exchange.target)) return PASS;
  return deny('not_admitted', { detail: `target: ${JSON.stringify(exchange.target.of)}` });
}
