import type { JsonObject } from './document.ts';

/** One link of a delegation: somebody who acts for the one before (RFC 8693 `act`). */
export interface Actor {
  readonly issuer: string;
  readonly subject: string;
}

/** What a proof or a registration narrows its caller to, whatever policy says. An absent member narrows nothing. */
export interface Reach {
  readonly servers?: readonly string[];
  /** Actions of methods.ts, or their beginning with `*` behind it: `tool.*`. */
  readonly actions?: readonly string[];
}

export type Strength = 'none' | 'shared-secret' | 'bearer' | 'proof-of-possession';

/** Who calls, as verified. Nothing in here is the agent's own word. */
export interface Principal {
  /** Everything that is kept for a caller is keyed by this: tenant, issuer, subject and agent, unambiguously joined. */
  readonly key: string;
  readonly tenant: string;
  readonly issuer: string;
  readonly subject: string;
  /** The registered program that calls; absent where the proof names none. */
  readonly agent: string | undefined;
  /** The human behind the agent. */
  readonly person: string | undefined;
  readonly groups: readonly string[];
  readonly chain: readonly Actor[];
  readonly proof: { readonly use: string; readonly strength: Strength };
  /** OAuth scopes that the proof carries. */
  readonly scopes?: readonly string[];
  /** Further verified facts of the proof that policies may read: claims, SPIFFE id, key name. Never the proof itself. */
  readonly claims?: JsonObject;
  /** All of these must agree, before policy is asked. */
  readonly reach?: readonly Reach[];
  /** The registry holds its agent back: it may see what there is, and do nothing with it. */
  readonly quarantined?: true;
  /** Epoch milliseconds at which the proof ends. */
  readonly expires: number | undefined;
}

/** Joins parts so that no two different lists give one string (a subject may contain any separator). */
export function principalKey(...parts: readonly (string | undefined)[]): string {
  let key = '';
  for (const part of parts) key += part === undefined ? '|-' : `|${part.length}:${part}`;
  return key.slice(1);
}
