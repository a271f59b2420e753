/** Sent on: to the upstream, the catalog, the gateway's own answer; an answer to whoever asked; an event to its exchange. */
import type { House } from '../house.ts';
import type { Open } from '../ledger.ts';
import type { Answerer } from '../ports.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';
import { accepted, cancel, finish, start } from '../open-exchange.ts';
import { outletOf } from '../outlet.ts';
import { takeOver } from '../park.ts';

export function forward(house: House): Stage {
  return { name: 'forward', pass: (crossing) => move(crossing, house) };
}

function move(crossing: Crossing, house: House): Verdict {
  switch (crossing.kind) {
    case 'opening':
      return opening(crossing, house);
    case 'event':
      return event(crossing, house);
    case 'closing':
      return closing(crossing, house);
  }
}

function opening(crossing: Crossing, house: House): Verdict {
  const { exchange, reply } = crossing;
  if (exchange.state !== 'open') return deny('cancelled');
  const open = start(crossing, house);
  house.runs.called(exchange);
  if (exchange.row.wire === 'http') {
    reply.perform(exchange);
    accepted(open, house);
    return PASS;
  }
  house.observer.forwarded?.(exchange);
  if (crossing.continues) {
    if (!house.parked.has(crossing.continues.exchange.id)) return deny('retry_lost');
    takeOver(open, crossing.continues, crossing, house);
    return PASS;
  }
  const flight = answererOf(exchange.row, house).open(exchange, outletOf(open, house), crossing.grant);
  // An answer may have come already, and a later round with it.
  open.flight ??= flight;
  if (exchange.row.wire === 'notification') {
    accepted(open, house);
    reply.accept();
  }
  return PASS;
}

function answererOf(row: Open['exchange']['row'], house: House): Answerer {
  switch (row.answers) {
    case 'upstream':
      return house.upstreams;
    case 'catalog':
    case 'merge':
      return house.catalog;
    case 'gateway':
    case 'agent':
    case 'nobody': {
      const answer = house.answers[row.method];
      if (!answer) throw new Error(`nobody answers ${row.method}`);
      return answer;
    }
  }
}

function event(crossing: Crossing, house: House): Verdict {
  const open = house.ledger.byId(crossing.exchange.id);
  if (open && crossing.message.method === 'notifications/cancelled') cancel(open, 'agent_cancelled', house);
  else open?.flight?.event?.(crossing.message);
  crossing.reply.accept();
  return PASS;
}

/** The agent's answer to an ask: its child exchange ends with it. */
function closing(crossing: Crossing, house: House): Verdict {
  const open = house.ledger.byId(crossing.exchange.id);
  if (!open?.answered) return deny('answer_unexpected');
  open.answered(crossing.message);
  finish(open, house, crossing.message.payload === 'error' ? 'error' : 'result', undefined);
  crossing.reply.accept();
  return PASS;
}
