/** What a stage says. A verdict is a value; an exception is a broken stage, and a broken stage denies. */
import type { Json } from './document.ts';
import type { Reason } from './reasons.ts';

export type Obligation =
  | { readonly kind: 'redact' | 'mask'; readonly what: string }
  | { readonly kind: 'notify'; readonly whom: string }
  | { readonly kind: 'hold'; readonly group: string };

/** A call that waits for a person. */
export interface Ticket {
  readonly id: string;
  readonly expires: number;
}

export interface Pass {
  readonly effect: 'pass';
  readonly rules: readonly string[];
  readonly obligations: readonly Obligation[];
}

export interface Deny {
  readonly effect: 'deny';
  readonly reason: Reason;
  readonly rules: readonly string[];
  /** For the operator and the audit: what exactly was found. Never shown to the agent, never a secret. */
  readonly detail: string | undefined;
  /** For the agent: members of the JSON-RPC error's `data`, where the specification wants some. */
  readonly data: Json | undefined;
  /** For the agent, instead of the reason's own sentence: only words that the agent itself sent, or the specification's. */
  readonly tell: string | undefined;
}

export interface Hold {
  readonly effect: 'hold';
  readonly ticket: Ticket;
}

export type Verdict = Pass | Deny | Hold;

/** A line of an exchange's verdict trail. `would` marks a verdict that observe mode did not carry out (law 13). */
export interface Step {
  readonly stage: string;
  readonly verdict: Verdict;
  readonly would?: true;
}

export const PASS: Pass = { effect: 'pass', rules: [], obligations: [] };

export function pass(rules: readonly string[], obligations: readonly Obligation[] = []): Pass {
  return { effect: 'pass', rules, obligations };
}

export function deny(
  reason: Reason,
  more: {
    detail?: string | undefined;
    data?: Json | undefined;
    tell?: string | undefined;
    rules?: readonly string[];
  } = {},
): Deny {
  return { effect: 'deny', reason, rules: more.rules ?? [], detail: more.detail, data: more.data, tell: more.tell };
}
