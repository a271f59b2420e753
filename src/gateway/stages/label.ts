/** What the run has now seen: today the servers whose data reached it. Flow control reads this. */
import type { House } from '../house.ts';
import type { Stage } from '../stage.ts';
import { PASS } from '../verdict.ts';
import { serverOf } from './question.ts';

export function label(house: House): Stage {
  return {
    name: 'label',
    pass({ exchange }) {
      const server = serverOf(exchange.target);
      if (server !== undefined) house.runs.saw(exchange.run, `source:${server}`);
      return PASS;
    },
  };
}
