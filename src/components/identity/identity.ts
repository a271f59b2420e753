/** Identity: who is it, and how proven? Several parts may stand side by side; the first that recognizes the proof decides. */
import type { Part } from '../../gateway/component.ts';
import type { Endpoint } from '../../gateway/exchange.ts';
import type { Arrival } from '../../gateway/ports.ts';
import type { Principal } from '../../gateway/principal.ts';

export type Identified =
  | { readonly known: true; readonly principal: Principal }
  /** This part recognizes nothing here; the next one is asked. `challenge`: a WWW-Authenticate value for the 401. */
  | { readonly known: false; readonly why: 'absent'; readonly challenge?: string; readonly headers?: ChallengeHeaders }
  /** A proof of this part's kind, and it is wrong. No other part is asked: a bad proof is not repaired by a weaker one. */
  | {
      readonly known: false;
      readonly why: 'rejected';
      readonly detail: string;
      readonly challenge?: string;
      readonly headers?: ChallengeHeaders;
    };

/** What the 401 says besides its challenge, such as DPoP-Nonce (RFC 9449 §9). */
export type ChallengeHeaders = readonly (readonly [name: string, value: string])[];

export type Sufficient =
  | { readonly sufficient: true }
  /** `challenge`: the WWW-Authenticate value of the 403, naming all scopes that the operation needs. */
  | { readonly sufficient: false; readonly challenge: string; readonly detail: string };

/** What is withdrawn, by the issuer that spoke for it. `token`: its SHA-256 in hex, so that the token itself is told to nobody. */
export type Revocation =
  | { readonly by: 'token'; readonly sha256: string; readonly until?: number }
  | {
      /** `id`: one token (`jti`). `session` (`sid`) and `subject`: every token issued up to now. */
      readonly by: 'id' | 'session' | 'subject';
      readonly issuer: string;
      readonly value: string;
      /** Epoch milliseconds after which no such token lives any more; default: the longest life that the part accepts. */
      readonly until?: number;
    };

export interface Identity extends Part {
  /** Reads headers and peer only, never the body. Compares secrets in constant time. */
  identify(arrival: Arrival): Identified | Promise<Identified>;
  /**
   * Whether a principal that this part has identified holds the scopes that an action needs (RFC 6750 §3.1). Called before
   * policy; absent: this part knows no scopes.
   */
  sufficient?(principal: Principal, action: string, server: string | undefined, endpoint: Endpoint): Sufficient;
  /**
   * False when the proof of a principal that this part has identified was revoked since. Asked before anything goes out to
   * it, so it answers from memory. Absent, or a principal of another part: true.
   */
  holds?(principal: Principal): boolean;
  /** From now on these proofs are refused, on every replica. */
  revoke?(revocation: Revocation): Promise<void>;
  /** Tells that `holds` may answer otherwise than before: what is open is asked again at once. Returns the way to stop. */
  onRevoked?(listener: () => void): () => void;
  /** Documents that anybody may read, such as protected-resource metadata (RFC 9728), by exact path; served with CORS. */
  documents?(): Readonly<Record<string, object>>;
  /** The same for paths that cannot be listed: one that lists servers would tell strangers which there are. */
  document?(path: string): object | undefined;
}
