/** Details for the operator quote servers, and a server may print the secret that it was given (law 3). */
import type { Grant } from '../../gateway/ports.ts';

const SHOWN = 600;

/** The text without any of the secrets, control characters or excess length. */
export function scrub(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) if (secret !== '') clean = clean.replaceAll(secret, '[secret]');
  return clean.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').slice(0, SHOWN);
}

export function secretsOf(grant: Grant | undefined): readonly string[] {
  return grant?.secrets ?? [];
}
