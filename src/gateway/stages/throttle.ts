/** Is this caller allowed to make us read this? Bounded before the body, because reading is work too. */
import type { House } from '../house.ts';
import type { Stage } from '../stage.ts';
import { deny, PASS } from '../verdict.ts';

export function throttle(house: House): Stage {
  return {
    name: 'throttle',
    pass(crossing) {
      for (const part of house.parts.limits) {
        const allowance = part.reading(crossing.principal, crossing.arrival);
        if (!allowance.allowed)
          return deny('throttled', { detail: allowance.limit, data: retryData(allowance.retryAfter) });
        if (allowance.done) crossing.whenRead.push(allowance.done);
      }
      return PASS;
    },
  };
}

export function retryData(retryAfter: number | undefined): { retryAfterMs: number } | undefined {
  return retryAfter === undefined ? undefined : { retryAfterMs: retryAfter };
}
