/** What stands beside `use: cedar`. */
import { z } from 'zod';
import { ruleSchema } from './rules.ts';

const patterns = z.union([z.string(), z.array(z.string())]).transform((one) => [one].flat());
const names = z.array(z.string().min(1)).default([]);

const zone = z.string().refine(isZone, 'a time zone such as "Europe/Berlin"');

function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

export const settings = z
  .strictObject({
    files: patterns.prefault([]).describe('Policies in Cedar: paths or patterns such as `policies/*.cedar`.'),
    rules: z
      .array(ruleSchema)
      .default([])
      .describe('Rules in short form; `sallyport policy show` shows them as Cedar.'),
    roles: z
      .record(
        z.string(),
        z.strictObject({
          agents: names.describe('Agents in the role.'),
          people: names.describe('People in the role, whatever agent they use.'),
          groups: names.describe('Groups whose members are in the role.'),
        }),
      )
      .default({})
      .describe('Roles: policies name them as `Role::"name"`.'),
    tests: patterns.prefault([]).describe('Cases with expected answers: policies that fail them are not loaded.'),
    zone: zone.default('UTC').describe('The time zone of `context.time`.'),
    calendars: z
      .record(z.string(), z.array(z.iso.date()))
      .default({})
      .describe('Days by the name of a calendar, such as `holidays: ["2026-12-25"]`.'),
    strict: z.boolean().default(false).describe('Also refuse policies that name tools which were never seen.'),
  })
  .describe('Policies in Cedar, with cases that test them.');

export type Settings = z.output<typeof settings>;
