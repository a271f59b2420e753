/** What the run has now seen: today the servers whose data reached it, and how much of it. Flow control and limits read this. */
import type { Exchange } from '../exchange.ts';
import type { House } from '../house.ts';
import type { Stage } from '../stage.ts';
import { PASS } from '../verdict.ts';
import { serverOfMessage } from './question.ts';

export function label(house: House): Stage {
  return {
    name: 'label',
    pass(crossing) {
      heard(crossing.exchange, crossing.message.doc.bytes.length, house);
      const server = serverOfMessage(crossing);
      if (server !== undefined) house.runs.saw(crossing.exchange, `source:${server}`);
      return PASS;
    },
  };
}

/** Asks belong to the call below which the server asked. */
function heard(exchange: Exchange, bytes: number, house: House): void {
  const open = house.ledger.byId((exchange.parent ?? exchange).id);
  if (open) open.heard += bytes;
  house.runs.heard(exchange, bytes);
}
