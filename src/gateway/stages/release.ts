/** Let out: the agent sees it now, and nothing of it before. */
import type { House } from '../house.ts';
import { finish, start } from '../open-exchange.ts';
import { sealRetry } from '../resume.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';

export function release(house: House): Stage {
  return { name: 'release', pass: (crossing) => letOut(crossing, house) };
}

function letOut(crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  const { exchange, reply, message } = crossing;
  if (exchange.state !== 'open') return deny('unsolicited', { detail: 'the exchange ended meanwhile' });
  switch (crossing.kind) {
    case 'event':
      return after(reply.event(exchange, message));
    case 'opening':
      start(crossing, house);
      return after(reply.ask(exchange, message));
    case 'closing': {
      const open = house.ledger.byId(exchange.id);
      reply.close(exchange, sealRetry(exchange, message, house));
      if (open) finish(open, house, message.payload === 'error' ? 'error' : 'result', undefined);
      return PASS;
    }
  }
}

function after(written: void | Promise<void>): Verdict | Promise<Verdict> {
  return written instanceof Promise ? written.then(() => PASS) : PASS;
}
