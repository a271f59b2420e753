/** Which calls a rule is about, and for whom it counts them. */
import type { Exchange } from '../../../gateway/exchange.ts';
import { principalKey, type Principal } from '../../../gateway/principal.ts';

export const DIMENSIONS = ['tenant', 'person', 'agent', 'server', 'tool', 'run'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export interface Match {
  readonly servers?: readonly string[] | undefined;
  readonly tools?: readonly string[] | undefined;
  readonly actions: readonly string[];
  readonly groups?: readonly string[] | undefined;
}

export interface Scope {
  matches(exchange: Exchange): boolean;
  /** Unambiguous: no two different callers or tools share one. */
  key(exchange: Exchange): string;
}

export function scopeOf(per: readonly Dimension[], match: Match): Scope {
  return {
    matches: (exchange) => matches(exchange, match),
    key: (exchange) => {
      const [first, second, ...others] = per;
      if (first === undefined) return '';
      // One dimension is its own key, and most rules have one or two.
      if (second === undefined) return VALUES[first](exchange);
      if (others.length === 0) return principalKey(VALUES[first](exchange), VALUES[second](exchange));
      return principalKey(...per.map((dimension) => VALUES[dimension](exchange)));
    },
  };
}

const VALUES: Readonly<Record<Dimension, (exchange: Exchange) => string>> = {
  tenant: ({ principal }) => principal.tenant,
  person: ({ principal }) => named(principal, principal.person),
  agent: ({ principal }) => named(principal, principal.agent),
  server: ({ target }) => serverIn(target) ?? '',
  tool: ({ target }) => toolIn(target),
  run: ({ run }) => run,
};

/** Without the name in its proof, a principal stands for itself. Its key begins with a tenant, so the two never meet. */
function named(principal: Principal, name: string | undefined): string {
  return name === undefined ? principal.key : principalKey(undefined, principal.tenant, principal.issuer, name);
}

/** Prompts and resources of a server count as one each: their names are the caller's choice, and would make room without end. */
function toolIn(target: Exchange['target']): string {
  if (target.of !== 'definition') return principalKey(serverIn(target), target.of);
  return principalKey(target.server, target.kind, target.kind === 'tool' ? target.name : undefined);
}

function serverIn(target: Exchange['target']): string | undefined {
  return target.of === 'definition' || target.of === 'task' ? target.server : undefined;
}

function matches({ row, principal, target }: Exchange, { actions, servers, tools, groups }: Match): boolean {
  if (!actions.some((pattern) => fits(pattern, row.action))) return false;
  if (groups && !groups.some((group) => principal.groups.includes(group))) return false;
  if (servers && !servers.includes(serverIn(target) ?? '')) return false;
  if (!tools) return true;
  return target.of === 'definition' && target.kind === 'tool' && tools.some((pattern) => fits(pattern, target.name));
}

/** The name itself, or its beginning before a last `*`. */
function fits(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
