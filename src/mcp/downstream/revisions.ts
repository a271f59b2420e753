/** The revisions that agents may speak (versioning), and what is answered to those who ask for another. */

/** Stateless revisions: version and capabilities on every request. */
export const MODERN: readonly string[] = ['2026-07-28'];

/** Revisions with `initialize`, newest first. */
export const LEGACY: readonly string[] = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];

/** Streamable HTTP before 2025-06-18 had no version header; its absence means this revision. */
export const UNNAMED = '2025-03-26';

export function isModern(version: string | undefined): boolean {
  return version !== undefined && MODERN.includes(version);
}

export function isLegacy(version: string | undefined): boolean {
  return version !== undefined && LEGACY.includes(version);
}

/** The revision of a new session: the one asked for, or the newest that the gateway knows (2025-11-25 basic/lifecycle). */
export function negotiate(requested: unknown): string {
  return typeof requested === 'string' && isLegacy(requested) ? requested : LEGACY[0]!;
}

/** SEP-1699: from 2025-11-25 on clients expect an event with an id and no data at the start of a stream. */
export function primes(version: string): boolean {
  return version === LEGACY[0];
}
