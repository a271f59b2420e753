/**
 * `node bench/limits.ts [rounds]`: what limits cost a call when nothing is refused, from its opening to its end, without the store.
 * Rows take turns; each figure is the median of the rounds, in microseconds of this thread's CPU time.
 */
import { parseArgs } from 'node:util';
import { depsWith, memoryCounters } from '../src/components/limits/quotas/counters.fixture.ts';
import { concurrency } from '../src/components/limits/concurrency/concurrency.ts';
import type { Ended, Limits } from '../src/components/limits/limits.ts';
import { quotas } from '../src/components/limits/quotas/quotas.ts';
import { sampleCall, sampleExchange, samplePrincipal } from '../src/components/samples.ts';
import type { Exchange } from '../src/gateway/exchange.ts';

const { positionals } = parseArgs({ allowPositionals: true });
const ROUNDS = Number(positionals[0] ?? 9);
const CALLS = 50_000;
const PRINCIPALS = 100;
const ENDED: Ended = { status: 'result', sent: true, bytes: 1_500 };
const HUGE = 1_000_000_000;

const rate = { name: 'rate', per: ['agent'], rate: `${HUGE}/1s` };
const places = { name: 'places', per: ['server'], concurrency: 10_000 };
const quota = { name: 'quota', per: ['agent'], quota: `${HUGE}/day` };
const bytes = { name: 'bytes', per: ['person'], bytes: `${HUGE}KB/1h` };
const budget = { name: 'budget', per: ['tenant'], budget: { unit: 'EUR', limit: 1e9, window: 'month', other: 0.01 } };

const PARTS: Readonly<Record<string, () => Promise<Limits>>> = {
  'limits/concurrency': async () => concurrency.create(concurrency.config.parse({}), depsWith(memoryCounters())),
  'no rule, no loop': () => rules([], false),
  'loop alone': () => rules([], {}),
  'one rate': () => rules([rate], false),
  'one quota': () => rules([quota], false),
  'three rules and the loop': () => rules([rate, places, quota], {}),
  'five rules and the loop': () => rules([rate, places, quota, bytes, budget], {}),
};

async function rules(given: readonly object[], loop: object | false): Promise<Limits> {
  return quotas.create(quotas.config.parse({ rules: given, loop }), depsWith(memoryCounters()));
}

const principals = Array.from({ length: PRINCIPALS }, (_, index) => samplePrincipal(`agent-${index}`));

/** Arguments of about 120 bytes, all different: nothing goes in circles. */
const calls: readonly Exchange[] = Array.from({ length: CALLS }, (_, index) => {
  const given = { path: `/srv/reports/2026/quarter-${index}.md`, head: 200, encoding: 'utf-8', follow: true };
  return sampleExchange({
    principal: principals[index % PRINCIPALS]!,
    opening: sampleCall('read', given),
    run: `principal:${index % PRINCIPALS}`,
  });
});

async function round(part: Limits): Promise<number> {
  // The first call of each principal takes its lease; that wait is the store's, once a hundredth of the limit.
  for (const call of calls.slice(0, PRINCIPALS)) finish(await part.opening(call));
  const before = process.threadCpuUsage();
  for (const call of calls) {
    const allowance = part.opening(call);
    if (allowance instanceof Promise) throw new Error('a lease ran out within the round');
    finish(allowance);
  }
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / CALLS;
}

function finish(allowance: Awaited<ReturnType<Limits['opening']>>): void {
  if (!allowance.allowed) throw new Error(`refused: ${allowance.limit}`);
  allowance.done?.(ENDED);
}

const figures = new Map<string, number[]>(Object.keys(PARTS).map((name) => [name, []]));
for (let turn = 0; turn <= ROUNDS; turn += 1) {
  for (const [name, make] of Object.entries(PARTS)) {
    const part = await make();
    const took = await round(part);
    // The first turn warms up.
    if (turn > 0) figures.get(name)!.push(took);
    await part.close?.();
  }
}

console.log('| limits | µs a call |\n|---|--:|');
for (const [name, took] of figures) console.log(`| ${name} | ${median(took).toFixed(2)} |`);

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
