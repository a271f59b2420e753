/** The short form: rules in YAML, written out as Cedar that people can read and `policy show` shows. */
import { z } from 'zod';

const words = z.union([z.string(), z.array(z.string()).min(1)]).transform((one) => [one].flat());
const scalar = z.union([z.string(), z.int(), z.boolean()]);

const condition = z.union([
  scalar,
  z.strictObject({
    in: z.array(scalar).min(1).optional(),
    not: z.union([scalar, z.array(scalar).min(1)]).optional(),
    /** `*` stands for anything. */
    like: z.string().optional(),
    atMost: z.int().optional(),
    atLeast: z.int().optional(),
    /** Of a list: every item, some item. */
    only: z.array(scalar).min(1).optional(),
    any: z.array(scalar).min(1).optional(),
    absent: z.literal(true).optional(),
  }),
]);

const HOURS = /^(?:([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))? )?(\d\d):(\d\d)-(\d\d):(\d\d)$/;
const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

const hours = z
  .string()
  .refine((text) => isHours(text), 'hours such as "Mon-Fri 08:00-18:00"')
  .describe('When the rule holds: `Mon-Fri 08:00-18:00`, on the clock of `zone`.');

function isHours(text: string): boolean {
  const found = HOURS.exec(text);
  if (!found) return false;
  const [, first, last, ...clock] = found;
  const days = [first, last].every((day) => day === undefined || DAYS.includes(day));
  const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = clock.map(Number);
  return days && fromHour < 24 && fromMinute < 60 && toMinute < 60 && toHour * 60 + toMinute <= 1_440;
}

export const ruleSchema = z
  .strictObject({
    allow: z.string().min(1).optional().describe('Permits; the text is the name of the rule.'),
    deny: z.string().min(1).optional().describe('Forbids, whatever else permits it; the text is the name of the rule.'),
    agent: words.optional().describe('Agents that it is about.'),
    person: words.optional().describe('People that it is about.'),
    group: words.optional().describe('Groups that it is about.'),
    role: words.optional().describe('Roles that it is about.'),
    server: words.optional().describe('Servers that it is about.'),
    tool: words.optional().describe('Tools that it is about, as `server/tool`.'),
    admin: words.optional().describe('Administration of Sallyport that it is about: `status`, or `"*"` for all of it.'),
    where: z
      .record(z.string(), condition)
      .optional()
      .describe('Conditions on arguments by path: `{ table: customers, "options.limit": { atMost: 100 } }`.'),
    facts: z.record(z.string(), condition).optional().describe('Conditions on facts, in the same form.'),
    hours: hours.optional(),
    notOn: words.optional().describe('Calendars on whose days it does not hold.'),
    from: words.optional().describe('Networks that the call must come from: `10.0.0.0/8`.'),
    maxRisk: z.int().min(0).max(100).optional().describe('It holds up to this risk.'),
    hold: z.string().min(1).optional().describe('With `deny`: a person of this group may lift it.'),
    redact: words.optional().describe('With `allow`: what is cut out of answers.'),
    mask: words.optional().describe('With `allow`: what is masked in answers.'),
    notify: words.optional().describe('With `allow`: who is told.'),
  })
  .refine(({ allow, deny }) => (allow === undefined) !== (deny === undefined), 'either allow or deny, with a name')
  .refine(({ tool, admin }) => !tool || !admin, 'tools or administration, not both')
  .refine(({ tool }) => (tool ?? []).every((name) => name.includes('/')), 'tools as server/tool');

export type Rule = z.output<typeof ruleSchema>;
type Condition = z.output<typeof condition>;
type Scalar = z.output<typeof scalar>;

/** One Cedar text for all rules; each keeps its name as `@id`. */
export function cedarOf(rules: readonly Rule[]): string {
  return rules.map(policyOf).join('\n');
}

function policyOf(rule: Rule): string {
  const { allow, deny, admin } = rule;
  const name = allow ?? deny ?? '';
  const who = callers(rule);
  const what = about(rule);
  const head = `${annotations(rule, name)}${deny === undefined ? 'permit' : 'forbid'}`;
  const own = `${head} (${who.scope}, ${actionOf(rule)}, ${what.scope})${clause(who.rest, what.rest, when(rule))};\n`;
  // Whoever may call something may also ask what there is.
  if (deny !== undefined || admin) return own;
  const connect = `permit (${who.scope}, action in Action::"connect", resource)${clause(who.rest)};\n`;
  return `${own}\n@id(${quoted(`${name} (connect)`)})\n${connect}`;
}

function clause(...conditions: readonly (readonly string[])[]): string {
  const all = conditions.flat();
  return all.length === 0 ? '' : `\nwhen {\n  ${all.join(' &&\n  ')}\n}`;
}

function annotations({ hold, redact, mask, notify }: Rule, id: string): string {
  const lists = { hold, redact: redact?.join(','), mask: mask?.join(','), notify: notify?.join(',') };
  const lines = Object.entries({ id, ...lists }).filter(([, text]) => text !== undefined);
  return lines.map(([name, text]) => `@${name}(${quoted(text!)})\n`).join('');
}

function actionOf({ admin, tool, where, deny }: Rule): string {
  if (admin) {
    const actions = admin.map((one) => (one === '*' ? 'admin' : `admin.${one}`));
    return `action in [${actions.map((one) => `Action::${quoted(one)}`).join(', ')}]`;
  }
  if (tool ?? where) return 'action == Action::"tool.call"';
  return deny === undefined
    ? 'action in [Action::"tool", Action::"prompt", Action::"resource", Action::"completion", Action::"task"]'
    : 'action';
}

/** What stands in the scope of a policy keeps it out of the slices of everything else; the rest are conditions. */
interface Constraint {
  readonly scope: string;
  readonly rest: readonly string[];
}

/** Several of one kind: any of them; several kinds: all of them. */
function callers({ agent, person, group, role }: Rule): Constraint {
  return constraint('principal', [
    among('principal', '==', 'Agent', agent),
    among('principal', 'in', 'Person', person),
    among('principal', 'in', 'Group', group),
    among('principal', 'in', 'Role', role),
  ]);
}

function about({ server, tool }: Rule): Constraint {
  return constraint('resource', [among('resource', '==', 'Tool', tool), among('resource', 'in', 'Server', server)]);
}

function constraint(of: string, kinds: readonly (readonly string[])[]): Constraint {
  const given = kinds.filter((tests) => tests.length > 0);
  const single = given.find((tests) => tests.length === 1);
  const rest = given.filter((tests) => tests !== single);
  const any = rest.map((tests) => (tests.length === 1 ? tests[0]! : `(${tests.join(' || ')})`));
  return { scope: single?.[0] ?? of, rest: any };
}

function among(of: string, op: string, type: string, ids: readonly string[] = []): string[] {
  return ids.map((id) => `${of} ${op} ${type}::${quoted(id)}`);
}

function when({ where, facts, hours, notOn, from, maxRisk }: Rule): string[] {
  return [
    ...Object.entries(where ?? {}).flatMap(([path, one]) => tests('args', path, one)),
    ...Object.entries(facts ?? {}).flatMap(([name, one]) => tests('facts', name, one, true)),
    ...(hours === undefined ? [] : within(hours)),
    ...(notOn ?? []).map((name) => `!context.time.calendars.contains(${quoted(name)})`),
    ...(from
      ? [
          `context.network has ip && (${from.map((net) => `context.network.ip.isInRange(ip(${quoted(net)}))`).join(' || ')})`,
        ]
      : []),
    ...(maxRisk === undefined ? [] : [`context.risk <= ${maxRisk}`]),
  ];
}

/** An argument may be absent, so each is asked for before it is read. */
function tests(root: string, path: string, condition: Condition, flat = false): string[] {
  const steps = flat ? [path] : path.split('.');
  const at = steps.reduce((text, step) => `${text}[${quoted(step)}]`, `context[${quoted(root)}]`);
  const guards = steps.map((step, index) => {
    const left = steps.slice(0, index).reduce((text, one) => `${text}[${quoted(one)}]`, `context[${quoted(root)}]`);
    return `${left} has ${quoted(step)}`;
  });
  if (typeof condition === 'object' && condition.absent) return [`!(${guards.join(' && ')})`];
  return [...guards, ...comparisons(at, condition)];
}

function comparisons(at: string, condition: Condition): string[] {
  if (typeof condition !== 'object') return [`${at} == ${literal(condition)}`];
  const { in: among, not, like, atMost, atLeast, only, any } = condition;
  const found = [
    among && `${list(among)}.contains(${at})`,
    not !== undefined && `!${list([not].flat())}.contains(${at})`,
    like !== undefined && `${at} like ${quoted(like)}`,
    atMost !== undefined && `${at} <= ${atMost}`,
    atLeast !== undefined && `${at} >= ${atLeast}`,
    only && `${list(only)}.containsAll(${at})`,
    any && `${at}.containsAny(${list(any)})`,
  ];
  return found.filter((one) => typeof one === 'string');
}

function within(text: string): string[] {
  const [, first, last, fromHour, fromMinute, toHour, toMinute] = HOURS.exec(text)!;
  const [from, to] = [Number(fromHour) * 60 + Number(fromMinute), Number(toHour) * 60 + Number(toMinute)];
  const clock = from <= to ? ` && ` : ` || `;
  const between = `(context.time.minutes >= ${from}${clock}context.time.minutes < ${to})`;
  if (first === undefined) return [between];
  const [monday, sunday] = [DAYS.indexOf(first) + 1, DAYS.indexOf(last ?? first) + 1];
  const joint = monday <= sunday ? ' && ' : ' || ';
  return [`(context.time.weekday >= ${monday}${joint}context.time.weekday <= ${sunday})`, between];
}

const literal = (value: Scalar): string => (typeof value === 'string' ? quoted(value) : String(value));
const list = (values: readonly Scalar[]): string => `[${values.map(literal).join(', ')}]`;

/** A string of Cedar's: names and values are data, whatever they hold. */
export function quoted(text: string): string {
  return `"${text.replaceAll(/[\\"]/g, '\\$&').replaceAll(/[^\u0020-\u{10ffff}]|\u007f/gu, (one) => `\\u{${one.codePointAt(0)!.toString(16)}}`)}"`;
}
