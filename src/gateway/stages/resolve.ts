/** Which server, and which exact definition? Whatever is not found, or hidden from this caller, does not exist for it. */
import type { Target } from '../exchange.ts';
import type { House } from '../house.ts';
import { serversInReach } from '../reach.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Deny, type Verdict } from '../verdict.ts';

export function resolve(house: House): Stage {
  return { name: 'resolve', pass: (crossing) => find(crossing, house) };
}

function find(crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  const { exchange } = crossing;
  // Not in `head`: who is not identified must not learn which servers there are.
  const behind = house.catalog.servers(exchange.endpoint);
  if (behind === undefined) return deny('server_unknown');
  const within = serversInReach(exchange.principal, behind);
  if (within.length === 0 && behind.length > 0) return deny('server_unknown', { detail: 'out of reach' });
  switch (exchange.row.target) {
    case 'gateway':
      return take(crossing, { of: 'gateway' });
    case 'servers':
      return take(crossing, { of: 'servers', servers: within });
    case 'tool':
    case 'prompt':
    case 'resource':
    case 'reference':
    case 'task': {
      const target = house.catalog.resolve(exchange);
      return target instanceof Promise ? target.then((found) => take(crossing, found)) : take(crossing, target);
    }
    case 'exchange':
      return deny('event_unexpected');
  }
}

function take(crossing: Crossing, found: Target | Deny): Verdict {
  if ('effect' in found) return found;
  crossing.exchange.target = found;
  return PASS;
}
