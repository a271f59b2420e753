/** Let out: the agent sees it now, and nothing of it before. */
import type { Message } from '../exchange.ts';
import type { House } from '../house.ts';
import type { Open } from '../ledger.ts';
import { finish, start } from '../open-exchange.ts';
import { park, wait } from '../park.ts';
import { sealHandles } from '../handles.ts';
import { sealRetry } from '../resume.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';

export function release(house: House): Stage {
  return { name: 'release', pass: (crossing) => letOut(crossing, house) };
}

function letOut(crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  const { exchange, reply } = crossing;
  if (exchange.state !== 'open') return deny('unsolicited', { detail: 'the exchange ended meanwhile' });
  switch (crossing.kind) {
    case 'event':
      return after(reply.event(exchange, ownHop(crossing, house)));
    case 'opening':
      return after(putToAgent(start(crossing, house), crossing, house));
    case 'closing': {
      const open = house.ledger.byId(exchange.id);
      if (open && crossing.parks) wait(open, house);
      reply.close(exchange, ownHop(crossing, house));
      if (open) finish(open, house, crossing.message.payload === 'error' ? 'error' : 'result', undefined);
      return PASS;
    }
  }
}

/** A legacy agent is asked on its stream, a modern one by the end of its request. */
function putToAgent(child: Open, crossing: Crossing, house: House): void | Promise<void> {
  const message = ownHop(crossing, house);
  if (crossing.exchange.era === 'modern') return park(child, message, house);
  return crossing.reply.ask(crossing.exchange, message);
}

/** What the agent gets to hold instead of what the server gave: sealed, bound to this principal. */
function ownHop(crossing: Crossing, house: House): Message {
  return sealHandles(crossing.exchange, sealRetry(crossing, house), house.handles, house.codec);
}

function after(written: void | Promise<void>): Verdict | Promise<Verdict> {
  return written instanceof Promise ? written.then(() => PASS) : PASS;
}
