/** What the run has now seen: today the servers whose data reached it. Flow control reads this. */
import type { House } from '../house.ts';
import type { Stage } from '../stage.ts';
import { PASS } from '../verdict.ts';
import { serverOfMessage } from './question.ts';

export function label(house: House): Stage {
  return {
    name: 'label',
    pass(crossing) {
      const server = serverOfMessage(crossing);
      if (server !== undefined) house.runs.saw(crossing.exchange.run, `source:${server}`);
      return PASS;
    },
  };
}
