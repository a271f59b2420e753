/** What policy already denies with arguments unknown does not exist for the caller (law 6). */
import type { Definition, DefinitionKind, Exchange } from '../gateway/exchange.ts';

/**
 * For each definition, in order, whether the caller may know of it. Anything but `true` hides; a rejection refuses the
 * whole question.
 */
export type Permitted = (
  exchange: Exchange,
  kind: DefinitionKind,
  definitions: readonly Definition[],
) => readonly boolean[] | Promise<readonly boolean[]>;

export const everything: Permitted = (_exchange, _kind, definitions) => definitions.map(() => true);

/** Calls `next` with the value: at once when it is there. */
export function after<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
