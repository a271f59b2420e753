/** Credentials: which secret does an upstream get for this principal? The agent never sees it. */
import type { Part } from '../../gateway/component.ts';
import type { Grant } from '../../gateway/ports.ts';
import type { Principal } from '../../gateway/principal.ts';

export type Issued =
  | { readonly issued: true; readonly grant: Grant }
  | { readonly issued: false; readonly detail: string };

/** One part per server that has `credentials`. */
export interface Credentials extends Part {
  /** `detail` names the reference that failed, never a value. */
  issue(server: string, principal: Principal): Issued | Promise<Issued>;
}
