/**
 * What is within reach of a caller, whatever policy says: the scope of its key, the servers of its agent, quarantine. Who
 * administers the gateway can narrow a caller here without touching a policy, and no policy can widen it again.
 */
import type { Target } from './exchange.ts';
import type { Principal } from './principal.ts';
import { deny, type Deny } from './verdict.ts';

/** What a client needs before it can do anything at all; none of it reaches a server's tools, prompts or resources. */
const PREAMBLE = new Set(['session.open', 'session.end', 'gateway.ping', 'server.discover']);
/** What else belongs to the wire, and not to what is done with it. */
const WIRE = /^(session|exchange)\./;
/** An agent in quarantine may see what it could use. */
const LISTING = new Set([...PREAMBLE, 'tool.list', 'prompt.list', 'resource.list']);

export function reachesServer({ reach }: Principal, server: string): boolean {
  return reach === undefined || reach.every(({ servers }) => servers === undefined || servers.includes(server));
}

/** The same list where nothing is narrowed. */
export function serversInReach(principal: Principal, servers: readonly string[]): readonly string[] {
  return principal.reach === undefined ? servers : servers.filter((server) => reachesServer(principal, server));
}

export function reachesAction({ reach }: Principal, action: string): boolean {
  if (reach === undefined || PREAMBLE.has(action) || WIRE.test(action)) return true;
  return reach.every(({ actions }) => actions === undefined || actions.some((one) => covers(one, action)));
}

function covers(scope: string, action: string): boolean {
  return scope.endsWith('*') ? action.startsWith(scope.slice(0, -1)) : scope === action;
}

/** Why this caller may not do this here, if it may not. */
export function outOfReach(principal: Principal, action: string, target: Target): Deny | undefined {
  if (principal.quarantined && !LISTING.has(action)) return deny('agent_quarantined', { detail: action });
  if (!reachesAction(principal, action)) return deny('out_of_reach', { detail: `action ${action}` });
  const server = serversOf(target).find((one) => !reachesServer(principal, one));
  return server === undefined ? undefined : deny('out_of_reach', { detail: `server ${server}` });
}

function serversOf(target: Target): readonly string[] {
  switch (target.of) {
    case 'gateway':
      return [];
    case 'servers':
      return target.servers;
    case 'definition':
    case 'task':
      return [target.server];
    case 'exchange':
      return serversOf(target.exchange.target);
  }
}
