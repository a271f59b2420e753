/** Is the server approved, and the definition the approved one? Default deny: what is not listed is not reached. */
import type { House } from '../house.ts';
import type { Stage } from '../stage.ts';
import { deny, PASS } from '../verdict.ts';

export function admit(house: House): Stage {
  return {
    name: 'admit',
    pass: ({ exchange }) =>
      house.settings.admitted(exchange.target)
        ? PASS
        : deny('not_admitted', { detail: `target: ${JSON.stringify(exchange.target.of)}` }),
  };
}
