/** Windows of time over which something is counted: of the calendar, in a zone, or rolling. */

/** Epoch milliseconds; `end` is exclusive. */
export interface Window {
  readonly start: number;
  readonly end: number;
}

export interface Windows {
  /** The window that counts now. */
  at(now: number): Window;
  /** Windows that ended and still count against the limit. */
  before(window: Window): readonly Window[];
}

export const UNITS = ['minute', 'hour', 'day', 'week', 'month'] as const;
export type Unit = (typeof UNITS)[number];

/** A rolling window is counted in so many slices. */
const SLICES = 10;

/**
 * Never more than the limit within any stretch of `length` milliseconds: each slice counts together with the ten before
 * it, which cover the stretch wherever it begins. What was used is free again after eleven tenths of the length at most.
 */
export function rolling(length: number): Windows {
  const slice = Math.max(1, Math.ceil(length / SLICES));
  const starting = (start: number): Window => ({ start, end: start + slice });
  return {
    at: (now) => starting(Math.floor(now / slice) * slice),
    before: ({ start }) => Array.from({ length: SLICES }, (_, index) => starting(start - (index + 1) * slice)),
  };
}

/** @param zone of the IANA time zone database. Weeks begin on Monday (ISO 8601). */
export function calendar(unit: Unit, zone: string): Windows {
  let known: Window = { start: 0, end: 0 };
  const at = (now: number): Window => {
    if (now < known.start || now >= known.end) known = around(now, unit, zone);
    return known;
  };
  return { at, before: () => [] };
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function around(now: number, unit: Unit, zone: string): Window {
  switch (unit) {
    case 'minute':
      return whole(now, MINUTE, 0);
    case 'hour':
      return whole(now, HOUR, offset(now, zone));
    case 'day':
    case 'week':
    case 'month': {
      const [first, next] = days(localDay(now, zone), unit);
      return { start: firstInstant(first, zone), end: firstInstant(next, zone) };
    }
  }
}

/** Zones are off by half hours and quarters, so an hour begins where its clock on the wall says so. */
function whole(now: number, length: number, shift: number): Window {
  const start = Math.floor((now + shift) / length) * length - shift;
  return { start, end: start + length };
}

/** The first day of the unit that holds this day, and that of the next unit, as UTC midnights that stand for dates. */
function days(day: number, unit: 'day' | 'week' | 'month'): [first: number, next: number] {
  const date = new Date(day);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  if (unit === 'month') return [Date.UTC(year, month, 1), Date.UTC(year, month + 1, 1)];
  const first = unit === 'week' ? day - ((date.getUTCDay() + 6) % 7) * 24 * HOUR : day;
  return [first, first + (unit === 'week' ? 7 : 1) * 24 * HOUR];
}

/** No zone is further from UTC than this. */
const FURTHEST = 16 * HOUR;

/** The first moment that has this date in the zone. Searched, because some days have no midnight. */
function firstInstant(day: number, zone: string): number {
  let [before, from] = [day - FURTHEST, day + FURTHEST];
  while (from - before > 1) {
    const middle = Math.floor((before + from) / 2);
    if (localDay(middle, zone) < day) before = middle;
    else from = middle;
  }
  return from;
}

/** The date in the zone, as the UTC midnight that stands for it. */
function localDay(now: number, zone: string): number {
  const local = now + offset(now, zone);
  return local - (((local % (24 * HOUR)) + 24 * HOUR) % (24 * HOUR));
}

/** Milliseconds that the zone is ahead of UTC at that moment. */
function offset(now: number, zone: string): number {
  const second = Math.floor(now / 1000) * 1000;
  const parts = Object.fromEntries(
    formatOf(zone)
      .formatToParts(second)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second: seconds = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, seconds) - second;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(zone, made);
  return made;
}
