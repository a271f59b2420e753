/** Which scopes an operation needs. They come before policy and replace none of it: a scope permits nothing. */
import type { Endpoint } from '../../../gateway/exchange.ts';
import type { Config } from './config.ts';

type Rules = Config['scopes'];
type Rule = Rules[number];

/** All scopes of all rules that fit, in order. */
export function neededScopes(rules: Rules, action: string, server: string | undefined): readonly string[] {
  return unique(rules.filter((rule) => fits(rule, action, server)));
}

/** What is missing of them, where scopes may include others (MCP basic/authorization: hierarchies count). */
export function missingScopes(
  needed: readonly string[],
  held: readonly string[],
  implies: Config['implies'],
): readonly string[] {
  const all = new Set(held);
  // A set that grows is walked to its end: what an implied scope implies is held too.
  for (const scope of all) if (Object.hasOwn(implies, scope)) for (const one of implies[scope]!) all.add(one);
  return needed.filter((scope) => !all.has(scope));
}

/** What a fresh token should have to be of any use at an endpoint. */
export function baseScopes(rules: Rules, endpoint: Endpoint): readonly string[] {
  return unique(rules.filter((rule) => rule.actions === undefined && isAt(rule, endpoint)));
}

/** `offline_access` is between client and issuer (MCP basic/authorization). */
export function everyScope(rules: Rules, endpoint: Endpoint): readonly string[] {
  const here = rules.filter((rule) => endpoint.kind === 'joint' || isAt(rule, endpoint));
  return unique(here).filter((scope) => scope !== 'offline_access');
}

function fits({ actions, servers }: Rule, action: string, server: string | undefined): boolean {
  if (servers && (server === undefined || !servers.includes(server))) return false;
  return (
    !actions || actions.some((one) => one === action || (one.endsWith('.*') && action.startsWith(one.slice(0, -1))))
  );
}

function isAt({ servers }: Rule, endpoint: Endpoint): boolean {
  return servers === undefined || (endpoint.kind === 'server' && servers.includes(endpoint.server));
}

function unique(rules: readonly Rule[]): readonly string[] {
  return [...new Set(rules.flatMap(({ scopes }) => scopes))];
}
