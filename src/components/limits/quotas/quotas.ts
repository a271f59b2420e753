/** Rates, places, quotas, budgets and bytes, by rules; and calls that go in circles. */
import { defineComponent, type PartDeps } from '../../../gateway/component.ts';
import type { Exchange } from '../../../gateway/exchange.ts';
import type { Allowance, Ended, Limits } from '../limits.ts';
import { Allotment } from './allotment.ts';
import type { Terms } from './account.ts';
import { Loop, loopKey, mayLoop } from './loop.ts';
import type { Answer, Meter, Refused, Taken } from './meter.ts';
import { Places } from './places.ts';
import { budgetPrice, bytesPrice, QUOTA_PRICE } from './prices.ts';
import { Rate } from './rate.ts';
import { scopeOf, type Dimension, type Scope } from './scope.ts';
import { MILLIONTHS, settings, windowsOf, type Rule, type Settings } from './settings.ts';

export const quotas = defineComponent({
  kind: 'limits',
  use: 'quotas',
  config: settings,
  create: (given, deps): Limits => {
    for (const rule of given.rules) assertKnown(rule, deps.servers);
    const limits = [...given.rules.flatMap((rule) => limitsOf(rule, given, deps)), ...loopOf(given, deps)];
    return {
      // Before a message is read nothing is known that a rule could match; `limits/concurrency` bounds the reading.
      reading: () => FREE,
      opening: (exchange) => takeFrom(limits, 0, exchange, []),
      close: async () => {
        await Promise.all(limits.map(async ({ meter }) => meter.close?.()));
      },
    };
  },
});

/** A slip in the name of a server would leave it without the limit, and nobody would notice. */
function assertKnown({ name, match, budget }: Rule, servers: readonly string[]): void {
  const weighed = Object.keys(budget?.weights ?? {}).map((key) => key.split('/', 1)[0]!);
  const unknown = [...(match.servers ?? []), ...weighed].find((server) => !servers.includes(server));
  if (unknown === undefined) return;
  throw new Error(`limits/quotas: the rule "${name}" names the server "${unknown}": name one of ${servers.join(', ')}`);
}

const FREE: Allowance = { allowed: true, done: undefined };

/** One limit of one rule. */
interface Limit {
  readonly rule: string;
  readonly scope: Scope;
  readonly meter: Meter;
}

function limitsOf(rule: Rule, given: Settings, deps: PartDeps): Limit[] {
  const scope = scopeOf(rule.per, rule.match);
  return metersOf(rule, given, deps).map((meter) => ({ rule: rule.name, scope, meter }));
}

/** Dimensions that tell principals apart; where a rule has none of them, its places are shared. */
const OWN: readonly Dimension[] = ['person', 'agent', 'run'];

function metersOf(rule: Rule, given: Settings, deps: PartDeps): Meter[] {
  const { rate, burst, concurrency } = rule;
  const shared = !rule.per.some((dimension) => OWN.includes(dimension));
  return [
    ...(concurrency === undefined ? [] : [new Places(concurrency, shared)]),
    ...(rate ? [new Rate({ ...rate, burst: burst ?? rate.count }, deps.clock)] : []),
    ...allotmentsOf(rule, given, deps),
  ];
}

function allotmentsOf({ name, quota, budget, bytes, lease }: Rule, { zone }: Settings, deps: PartDeps): Meter[] {
  const { tenant, clock, log } = deps;
  const bank = () => ({ counters: deps.store.counters, tenant, clock, log });
  const terms = (text: string, limit: number, window: string, one = 1): Terms => ({
    text,
    limit,
    lease: Math.max(1, lease === undefined ? Math.ceil(limit / 100) : Math.round(lease * one)),
    windows: windowsOf(window, zone),
  });
  const at = (meter: string): string => `quotas/${name}/${meter}`;
  const made: Meter[] = [];
  if (quota) {
    const known = terms(`quota ${quota.text}`, quota.limit, quota.window);
    made.push(new Allotment(at('quota'), known, QUOTA_PRICE, bank()));
  }
  if (budget) {
    const text = `budget ${budget.limit} ${budget.unit}/${budget.window}`;
    const known = terms(text, Math.round(budget.limit * MILLIONTHS), budget.window, MILLIONTHS);
    made.push(new Allotment(at('budget'), known, budgetPrice(budget), bank()));
  }
  if (bytes) {
    const known = terms(`bytes ${bytes.text}`, bytes.limit, bytes.window);
    made.push(new Allotment(at('bytes'), known, bytesPrice, bank()));
  }
  return made;
}

function loopOf({ loop }: Settings, { clock }: PartDeps): Limit[] {
  if (loop === false) return [];
  return [{ rule: 'loop', scope: { matches: mayLoop, key: loopKey }, meter: new Loop(loop, clock) }];
}

/** One after the other; the first that refuses ends it, and what the others gave goes back. */
function takeFrom(
  limits: readonly Limit[],
  first: number,
  exchange: Exchange,
  held: Taken[],
): Allowance | Promise<Allowance> {
  for (let index = first; index < limits.length; index += 1) {
    const { scope, meter, rule } = limits[index]!;
    if (!scope.matches(exchange)) continue;
    const answer = meter.take(scope.key(exchange), exchange);
    if (answer instanceof Promise) return waited(answer, held, rule, () => takeFrom(limits, index + 1, exchange, held));
    if (!answer.ok) return refused(answer, rule, held);
    held.push(answer);
  }
  return allowed(held);
}

async function waited(
  late: Promise<Answer>,
  held: Taken[],
  rule: string,
  goOn: () => Allowance | Promise<Allowance>,
): Promise<Allowance> {
  const answer = await late.catch((error: unknown) => {
    // The store does not answer: the call is refused (law 4), and takes nothing with it.
    undo(held);
    throw error;
  });
  if (!answer.ok) return refused(answer, rule, held);
  held.push(answer);
  return goOn();
}

function refused({ limit, retryAfter, loop }: Refused, rule: string, held: Taken[]): Allowance {
  undo(held);
  return { allowed: false, limit: `${rule}: ${limit}`, retryAfter, ...(loop ? { loop } : {}) };
}

function undo(held: Taken[]): void {
  for (const taken of held.splice(0)) taken.undo();
}

function allowed(held: Taken[]): Allowance {
  if (held.length === 0) return FREE;
  const done = (ended?: Ended): void => {
    for (const taken of held.splice(0)) taken.ended(ended);
  };
  return { allowed: true, done };
}
