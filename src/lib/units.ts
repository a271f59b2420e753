/** Durations and sizes as people write them: a number with its unit, never a bare number. */
import { z } from 'zod';

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };
const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

const DURATION = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)$/;
const SIZE = /^(\d{1,12}(?:\.\d{1,6})?)(B|KB|MB|GB|KiB|MiB|GiB)$/;

/** Milliseconds; undefined when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  return measure(DURATION, MILLISECONDS, text);
}

/** Bytes; undefined when the text is not a size. */
export function parseSize(text: string): number | undefined {
  return measure(SIZE, BYTES, text);
}

function measure(form: RegExp, units: Readonly<Record<string, number>>, text: string): number | undefined {
  const [, number, unit] = form.exec(text) ?? [];
  if (number === undefined || unit === undefined) return undefined;
  return Math.round(Number(number) * units[unit]!);
}

const A_DURATION = 'a duration with its unit, such as "250ms", "1.5s", "10m", "2h" or "7d"';
const A_SIZE = 'a size with its unit, such as "512KB" or "4MiB"';

/** A configured duration, as milliseconds. */
export const duration = z
  .string(A_DURATION)
  .regex(DURATION, A_DURATION)
  .transform((text) => parseDuration(text) ?? 0);

/** A configured size, as bytes. */
export const size = z
  .string(A_SIZE)
  .regex(SIZE, A_SIZE)
  .transform((text) => parseSize(text) ?? 0);
