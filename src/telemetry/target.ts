/** What telemetry may say of an exchange's target. Names that no catalog knows are the agent's own words and are left out. */
import type { Definition, Exchange } from '../gateway/exchange.ts';

export function serverOf({ target }: Exchange): string | undefined {
  switch (target.of) {
    case 'definition':
    case 'task':
      return target.server;
    case 'servers':
      return target.servers.length === 1 ? target.servers[0] : undefined;
    case 'exchange':
      return serverOf(target.exchange);
    case 'gateway':
      return undefined;
  }
}

export function definitionOf({ target }: Exchange): Definition | undefined {
  return target.of === 'definition' ? target.definition : undefined;
}
