/** Identity: who is it, and how proven? Several parts may stand side by side; the first that recognizes the proof decides. */
import type { Part } from '../../gateway/component.ts';
import type { Arrival } from '../../gateway/ports.ts';
import type { Principal } from '../../gateway/principal.ts';

export type Identified =
  | { readonly known: true; readonly principal: Principal }
  /** This part recognizes nothing here; the next one is asked. `challenge`: a WWW-Authenticate value for the 401. */
  | { readonly known: false; readonly why: 'absent'; readonly challenge?: string }
  /** A proof of this part's kind, and it is wrong. No other part is asked: a bad proof is not repaired by a weaker one. */
  | { readonly known: false; readonly why: 'rejected'; readonly detail: string; readonly challenge?: string };

export interface Identity extends Part {
  /** Reads headers and peer only, never the body. Compares secrets in constant time. */
  identify(arrival: Arrival): Identified | Promise<Identified>;
}
