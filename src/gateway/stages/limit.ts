/** Rate, concurrency, quota, budget: for this caller, server and tool. */
import type { Allowance, Limits } from '../../components/limits/limits.ts';
import type { House } from '../house.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Deny, type Verdict } from '../verdict.ts';
import { retryData } from './throttle.ts';

export function limit(house: House): Stage {
  return { name: 'limit', pass: (crossing) => from(house.parts.limits, 0, crossing, house) };
}

function from(parts: readonly Limits[], first: number, crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  for (let index = first; index < parts.length; index += 1) {
    const allowance = parts[index]!.opening(crossing.exchange);
    if (allowance instanceof Promise)
      return allowance.then((found) => take(found, crossing, house) ?? from(parts, index + 1, crossing, house));
    const verdict = take(allowance, crossing, house);
    if (verdict) return verdict;
  }
  return PASS;
}

/** What was taken is given back when the exchange ends, however it ends; at once when it ended while the part was asked. */
function take(allowance: Allowance, crossing: Crossing, house: House): Verdict | undefined {
  if (!allowance.allowed) return refusal(allowance);
  const open = house.ledger.byId(crossing.exchange.id);
  if (open && allowance.done) open.ended.push(allowance.done);
  else allowance.done?.({ status: 'cancelled', sent: false, bytes: 0 });
  return undefined;
}

/** A model reads the sentence, a program the number. What goes in circles is not told when to come again: it should not. */
function refusal({ limit: detail, retryAfter, loop }: Extract<Allowance, { allowed: false }>): Deny {
  const data = retryData(retryAfter);
  if (loop) return deny('loop_detected', { detail, data });
  const seconds = Math.max(1, Math.ceil((retryAfter ?? 0) / 1000));
  const tell = retryAfter === undefined ? undefined : `A limit is reached; try again in ${seconds} s.`;
  return deny('limit_reached', { detail, data, tell });
}
