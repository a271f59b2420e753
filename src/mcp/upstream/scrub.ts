/** Details for the operator quote servers, and a server may print the secret that it was given (law 3). */
import type { Grant, ServerSettings } from '../../gateway/ports.ts';

const SHOWN = 600;

/** The text without any of the secrets, control characters or excess length. */
export function scrub(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) if (secret !== '') clean = clean.replaceAll(secret, '[secret]');
  return clean.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').slice(0, SHOWN);
}

/** Settings hold resolved references; what is shorter is a flag or a level, and no secret worth the name. */
const SHORTEST = 12;

/** What must not be quoted: the grant's secrets, and values of headers and environment that may be some. */
export function secretsOf(
  { transport }: Pick<ServerSettings, 'transport'>,
  grant: Grant | undefined,
): readonly string[] {
  const values = Object.values(transport.kind === 'http' ? transport.headers : transport.env);
  // `Bearer x`: the server would quote x
  const parts = values.flatMap((value) => [value, value.slice(value.indexOf(' ') + 1)]);
  return [...(grant?.secrets ?? []), ...parts.filter(({ length }) => length >= SHORTEST)];
}
