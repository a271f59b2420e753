import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { calendar, rolling, UNITS, type Windows } from './windows.ts';

const at = (text: string): number => Date.parse(text);
const span = (windows: Windows, now: string): string[] => {
  const { start, end } = windows.at(at(now));
  return [new Date(start).toISOString(), new Date(end).toISOString()];
};
const HOUR = 3_600_000;

describe('windows of the calendar', () => {
  test('a day of 23 or 25 hours is one day', () => {
    const day = calendar('day', 'Europe/Berlin');
    assert.deepEqual(span(day, '2026-03-29T10:00:00Z'), ['2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z']);
    assert.deepEqual(span(day, '2026-10-25T10:00:00Z'), ['2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z']);
  });

  test('a day without a midnight begins at its first moment', () => {
    const [start] = span(calendar('day', 'America/Santiago'), '2026-09-06T15:00:00Z');
    assert.equal(start, '2026-09-06T04:00:00.000Z');
  });

  test('an hour begins where the clock on the wall says so', () => {
    const hour = calendar('hour', 'Asia/Kathmandu');
    assert.deepEqual(span(hour, '2026-01-01T00:20:00Z'), ['2026-01-01T00:15:00.000Z', '2026-01-01T01:15:00.000Z']);
  });

  test('weeks begin on Monday, months on the first', () => {
    assert.deepEqual(span(calendar('week', 'UTC'), '2026-11-22T23:59:59Z'), [
      '2026-11-16T00:00:00.000Z',
      '2026-11-23T00:00:00.000Z',
    ]);
    assert.deepEqual(span(calendar('month', 'UTC'), '2026-12-31T23:59:59Z'), [
      '2026-12-01T00:00:00.000Z',
      '2027-01-01T00:00:00.000Z',
    ]);
  });

  test('every moment lies in its window, and the next begins where it ends', () => {
    const zones = ['UTC', 'Europe/Berlin', 'America/Havana', 'Asia/Beirut', 'Australia/Lord_Howe', 'Pacific/Apia'];
    const moment = fc.integer({ min: at('2020-01-01T00:00:00Z'), max: at('2032-01-01T00:00:00Z') });
    fc.assert(
      fc.property(fc.constantFrom(...zones), fc.constantFrom(...UNITS), moment, (zone, unit, now) => {
        const windows = calendar(unit, zone);
        const { start, end } = windows.at(now);
        assert.ok(start <= now && now < end);
        assert.equal(windows.at(end).start, end);
        assert.deepEqual(windows.at(start), { start, end });
      }),
      { numRuns: 300 },
    );
  });
});

describe('rolling windows', () => {
  test('a slice and those before it cover a whole length, wherever it begins', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 40 * HOUR }), fc.integer({ min: 0, max: 2 ** 41 }), (length, now) => {
        const windows = rolling(length);
        const window = windows.at(now);
        assert.ok(window.start <= now && now < window.end);
        const first = Math.min(...windows.before(window).map(({ start }) => start));
        assert.ok(first <= now - length);
      }),
      { numRuns: 200 },
    );
  });
});
