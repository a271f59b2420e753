/** When it is worth trying again, in words for a model and as a number for a program. */
import type { Json } from './document.ts';
import { reasonText, type Reason } from './reasons.ts';

/** @param after milliseconds from now; undefined: nobody knows, and nothing is added */
export function retryHint(reason: Reason, after: number | undefined): { readonly tell?: string; readonly data?: Json } {
  if (after === undefined) return {};
  const seconds = Math.max(1, Math.ceil(after / 1000));
  return { tell: `${reasonText(reason).tell} It is tried again in ${seconds} s.`, data: { retryAfter: seconds } };
}
