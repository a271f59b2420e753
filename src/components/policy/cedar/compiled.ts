/** A policy as it is in force: what the throw-away thread found out about it. Crosses threads, so it is plain data. */
import type { ActionConstraint, PrincipalConstraint, ResourceConstraint } from '@cedar-policy/cedar-wasm/nodejs';
import type { Obligation } from '../../../gateway/verdict.ts';
import type { Place } from './pieces.ts';
import type { Reads } from './reads.ts';

export interface Scope {
  readonly principal: PrincipalConstraint;
  readonly action: ActionConstraint;
  readonly resource: ResourceConstraint;
}

export interface Compiled {
  /** What `@id` says. */
  readonly id: string | undefined;
  /** For people and records: `no-deletes (github.cedar:12)`. */
  readonly name: string;
  readonly place: Place;
  readonly effect: 'permit' | 'forbid';
  readonly text: string;
  readonly scope: Scope;
  readonly reads: Reads;
  /** Entities that it names anywhere, `Type::id`. */
  readonly entities: ReadonlySet<string>;
  /** What is sure of it while arguments and facts are unknown; undefined: nothing is. */
  readonly listed: { readonly text: string; readonly weaker: boolean; readonly reads: Reads } | undefined;
  /** A forbid that a person may lift: the group that is asked. */
  readonly hold: string | undefined;
  readonly obligations: readonly Obligation[];
}

/** Something wrong with a text of policies. */
export interface PolicyProblem {
  readonly place: Place;
  readonly message: string;
}

export function problemLine({ place: { file, line, column }, message }: PolicyProblem): string {
  return `${file}:${line}:${column} ${message}`;
}
