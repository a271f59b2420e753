/** What an exchange is about, in one word. */
import type { Definition, Exchange } from './exchange.ts';

/** The one server that an exchange means, if it means one. */
export function serverMeant({ target }: Pick<Exchange, 'target'>): string | undefined {
  switch (target.of) {
    case 'definition':
    case 'task':
      return target.server;
    case 'servers':
      return target.servers.length === 1 ? target.servers[0] : undefined;
    case 'exchange':
      return serverMeant(target.exchange);
    case 'gateway':
      return undefined;
  }
}

export function definitionOf({ target }: Pick<Exchange, 'target'>): Definition | undefined {
  return target.of === 'definition' ? target.definition : undefined;
}
