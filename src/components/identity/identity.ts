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

export type Sufficient =
  | { readonly sufficient: true }
  /** `challenge`: the WWW-Authenticate value of the 403, naming all scopes that the operation needs. */
  | { readonly sufficient: false; readonly challenge: string; readonly detail: string };

export interface Identity extends Part {
  /** Reads headers and peer only, never the body. Compares secrets in constant time. */
  identify(arrival: Arrival): Identified | Promise<Identified>;
  /**
   * Whether a principal that this part has identified holds the scopes that an action needs (RFC 6750 §3.1). Called before
   * policy; absent: this part knows no scopes.
   */
  sufficient?(principal: Principal, action: string, server: string | undefined): Sufficient;
  /** Documents that anybody may read, such as protected-resource metadata (RFC 9728), by exact path; served with CORS. */
  documents?(): Readonly<Record<string, object>>;
}
