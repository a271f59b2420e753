/** What a rule may say, in the words of the configuration. */
import { z } from 'zod';
import { duration, parseDuration, parseSize } from '../../../lib/units.ts';
import { DIMENSIONS } from './scope.ts';
import { calendar, rolling, UNITS, type Unit, type Windows } from './windows.ts';

/** Money and other weights are counted in millionths. */
export const MILLIONTHS = 1_000_000;

const A_RATE = 'a number of calls over a duration, such as "100/1m"';
const A_QUOTA = 'a number of calls over a duration or a unit of the calendar, such as "1000/24h" or "10000/day"';
const BYTES = 'a size over a duration or a unit of the calendar, such as "100MiB/1h"';
const A_WINDOW = `a duration such as "30d" (rolling), or one of ${UNITS.join(', ')} (calendar)`;

const count = (text: string | undefined): number | undefined =>
  text !== undefined && /^[1-9]\d{0,11}$/.test(text) ? Number(text) : undefined;

/** How far a window may reach: counters of the store are kept as long as they count. */
const LONGEST = 366 * 24 * 3_600_000;

const isUnit = (text: string): text is Unit => UNITS.some((unit) => unit === text);
const isWindow = (text: string): boolean => isUnit(text) || within(parseDuration(text));
const within = (length: number | undefined): boolean => length !== undefined && length >= 1000 && length <= LONGEST;

const window = z.string(A_WINDOW).refine(isWindow, A_WINDOW);

/** `10000/day` as its two halves; the amount by `measure`. */
function amount(measure: (text: string) => number | undefined, what: string) {
  return z.string(what).transform((text, context) => {
    const [left = '', over = '', ...more] = text.split('/');
    const limit = measure(left);
    if (limit !== undefined && limit > 0 && isWindow(over) && more.length === 0) return { text, limit, window: over };
    context.issues.push({ code: 'custom', input: text, message: what });
    return z.NEVER;
  });
}

const rate = z.string(A_RATE).transform((text, context) => {
  const [left, over = ''] = text.split('/');
  const [calls, length] = [count(left), parseDuration(over)];
  if (calls !== undefined && within(length)) return { text, count: calls, window: length! };
  context.issues.push({ code: 'custom', input: text, message: A_RATE });
  return z.NEVER;
});

const names = z.array(z.string().min(1)).min(1);

/** Requests that work at a server. Lists, pings and sessions cost it little, and cancelling must always be possible. */
const CALLS = ['tool.call', 'prompt.get', 'resource.read', 'completion.complete'];

const match = z.strictObject({
  servers: names.optional().describe('Only calls of these servers.'),
  tools: names.optional().describe("Only these tools, by the server's own names; a last `*` stands for anything."),
  actions: names
    .default(CALLS)
    .describe('Only these actions (see the table of methods); a last `*` stands for anything.'),
  groups: names.optional().describe('Only callers in one of these groups.'),
});

const budget = z.strictObject({
  unit: z.string().min(1).max(16).describe('What is counted, such as `EUR` or `tokens`: for records.'),
  limit: z.number().positive().max(1e9).describe('How much may be spent in a window.'),
  window: window.describe(`Over what: ${A_WINDOW}.`),
  weights: z
    .record(z.string().min(1), z.number().min(0).max(1e9))
    .default({})
    .describe('What a call costs, by `server` or `server/tool`.'),
  other: z.number().min(0).max(1e9).default(0).describe('What every other call costs.'),
  charge: z
    .enum(['sent', 'result'])
    .default('sent')
    .describe('sent: every call that was made. result: only those that were answered with a result.'),
});

const METERS = ['rate', 'concurrency', 'quota', 'budget', 'bytes'] as const;

const rule = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'a name: a-z, 0-9, ".", "_" and "-"')
      .describe('Named in records when it refuses, and in the store.'),
    per: z
      .array(z.enum(DIMENSIONS))
      .default([])
      .describe('For whom it counts: each combination apart. Empty: all calls together.'),
    match: match.prefault({}).describe('Which calls it is about.'),
    rate: rate.optional().describe(`${A_RATE}. A token bucket, per process.`),
    burst: z.int().min(1).optional().describe('So many calls may come at once. Default: the number of the rate.'),
    concurrency: z
      .int()
      .min(1)
      .optional()
      .describe('Open calls, per process. Where several callers share them, nobody holds more than are free.'),
    quota: amount(count, A_QUOTA).optional().describe(`${A_QUOTA}. Shared by all replicas.`),
    budget: budget.optional().describe('A sum of weights over a window. Shared by all replicas.'),
    bytes: amount(parseSize, BYTES).optional().describe(`${BYTES}: of requests and answers. Shared by all replicas.`),
    lease: z
      .number()
      .positive()
      .optional()
      .describe('So much of a quota, budget or bytes a process takes at once. Default: a hundredth of the limit.'),
  })
  .refine((given) => METERS.some((meter) => given[meter] !== undefined), `a rule needs one of ${METERS.join(', ')}`)
  .refine(({ burst, rate: given }) => burst === undefined || given !== undefined, 'a burst belongs to a rate');

function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone }).resolvedOptions().timeZone.length > 0;
  } catch {
    return false;
  }
}

export const settings = z.strictObject({
  rules: z
    .array(rule)
    .default([])
    .refine((rules) => new Set(rules.map(({ name }) => name)).size === rules.length, 'two rules have one name')
    .describe('All rules that match a call must agree.'),
  zone: z
    .string()
    .refine(isZone, 'a time zone such as "UTC" or "Europe/Berlin"')
    .default('UTC')
    .describe('Time zone of minutes, hours, days, weeks (from Monday) and months.'),
  loop: z
    .union([
      z.literal(false),
      z.strictObject({
        calls: z.int().min(1).max(1000).default(30).describe('So often.'),
        window: duration.prefault('1m').describe('Within this time.'),
      }),
    ])
    .prefault({})
    .describe(
      'The same call of a run (server, tool and arguments) is refused when it comes too often; `false`: never.',
    ),
});

export type Settings = z.output<typeof settings>;
export type Rule = Settings['rules'][number];

export function windowsOf(text: string, zone: string): Windows {
  return isUnit(text) ? calendar(text, zone) : rolling(parseDuration(text) ?? LONGEST);
}
