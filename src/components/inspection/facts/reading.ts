/** What one reader makes of the texts that are its own. */
import type { Facts } from '../../../gateway/stage.ts';

export interface Reading {
  readonly facts: Facts;
  /** Something could not be read with certainty: the facts do not tell all. */
  readonly unclear: boolean;
}

export function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}
