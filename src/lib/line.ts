/** What operators write and terminals, records and policies show. */
import { z } from 'zod';

/** One line of text: no control characters and no bidirectional overrides, which show another text than is there. */
export function line(most: number) {
  return z
    .string()
    .min(1)
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]*$/u, 'one line without control characters');
}

/** A moment in time (RFC 3339), as UTC with milliseconds. */
export const instant = z.iso
  .datetime({ offset: true, error: 'a time such as "2027-01-31T12:00:00Z"' })
  .overwrite((text) => new Date(text).toISOString());
