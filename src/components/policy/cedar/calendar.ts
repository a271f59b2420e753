/** Moments as policies see them: parts of the date in a zone of the operator's choice, and days that calendars name. */

export interface Calendar {
  /** An IANA time zone, `Europe/Berlin`. */
  readonly zone: string;
  /** Days as `2026-12-25`, by the name of the calendar. */
  readonly days: Readonly<Record<string, readonly string[]>>;
}

export interface Moment {
  /** `2026-11-20` */
  readonly date: string;
  readonly year: number;
  readonly month: number;
  readonly day: number;
  /** 1 Monday to 7 Sunday (ISO 8601). */
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  /** Minutes since midnight, as clocks on the wall show them: 09:30 is 570. */
  readonly minutes: number;
  readonly zone: string;
  /** Names of the calendars that list this day. */
  readonly calendars: readonly string[];
}

const MINUTE = 60_000;

/** @returns a function of epoch milliseconds; the last minute is remembered. Throws on an unknown zone. */
export function calendarOf({ zone, days }: Calendar): (at: number) => Moment {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  const sets = Object.entries(days).map(([name, list]) => [name, new Set(list)] as const);
  let minute = Number.NaN;
  let moment: Moment | undefined;
  return (at) => {
    const now = Math.floor(at / MINUTE);
    if (now === minute && moment) return moment;
    minute = now;
    moment = momentOf(format, at, zone, sets);
    return moment;
  };
}

function momentOf(
  format: Intl.DateTimeFormat,
  at: number,
  zone: string,
  sets: readonly (readonly [string, ReadonlySet<string>])[],
): Moment {
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const number = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
  const [year, month, day, hour, minute] = [
    number('year'),
    number('month'),
    number('day'),
    number('hour'),
    number('minute'),
  ];
  const date = `${String(year).padStart(4, '0')}-${parts.get('month')}-${parts.get('day')}`;
  const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay() || 7;
  const calendars = sets.filter(([, listed]) => listed.has(date)).map(([name]) => name);
  return { date, year, month, day, weekday, hour, minute, minutes: hour * 60 + minute, zone, calendars };
}
