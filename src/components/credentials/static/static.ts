/** One secret for a server, the same for everybody, given as a reference. The agent never sees it; records see its name. */
import { z } from 'zod';
import { defineComponent } from '../../../gateway/component.ts';
import type { Grant } from '../../../gateway/ports.ts';
import type { Credentials } from '../credentials.ts';

const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'a header name');
// RFC 9110 §5.5 without obs-text: a line break would begin another header.
const headerValue = z.string().regex(/^[\t\x20-\x7e]*$/, 'a header value in printable ASCII, on one line');

const config = z.strictObject({
  headers: z
    .record(headerName, headerValue)
    .default({})
    .describe('HTTP headers with a reference as value, e.g. `Authorization: Bearer ${env:TOKEN}`.'),
  env: z.record(z.string(), z.string()).default({}).describe('Environment of a stdio server, values as references.'),
});

export const staticCredentials = defineComponent({
  kind: 'credentials',
  use: 'static',
  config,
  create: ({ headers, env }): Credentials => {
    const named = [...Object.entries(headers), ...Object.entries(env)];
    for (const [name, value] of named) assertLong(name, value);
    const grant: Grant = {
      id: `static:${named.map(([name]) => name).join(',')}`,
      headers: Object.entries(headers),
      env,
      secrets: [...new Set(named.flatMap(([, value]) => secretsIn(value)))],
    };
    return { issue: () => ({ issued: true, grant }) };
  },
});

/** Answers that hold a secret are stopped; a shorter one stands in too many honest answers to be looked for. */
const SHORTEST = 6;

function assertLong(name: string, value: string): void {
  if (bare(value).length >= SHORTEST) return;
  throw new Error(
    `credentials/static: the value of ${name} is shorter than ${SHORTEST} characters and cannot be kept out of answers; ` +
      'use a longer secret, or put what is no secret under the `headers` or `env` of the server',
  );
}

/** The forms in which a server may echo what it was given: whole, without its scheme, decoded, the password of a URL. */
function secretsIn(value: string): string[] {
  const forms = [value, bare(value), ...basic(value), ...passwords(value)];
  return forms.filter((secret) => secret.length >= SHORTEST);
}

/** A header's value is often a scheme and the secret. */
function bare(value: string): string {
  return /^\S+ +(\S+)$/.exec(value)?.[1] ?? value;
}

/** RFC 7617: user and password in base 64. */
function basic(value: string): string[] {
  const encoded = /^basic +(\S+)$/i.exec(value)?.[1];
  if (encoded === undefined) return [];
  const pair = Buffer.from(encoded, 'base64').toString('utf8');
  return [pair, pair.slice(pair.indexOf(':') + 1)];
}

/** `postgres://user:password@host/db`, as it stands and percent-decoded. */
function passwords(value: string): string[] {
  const written = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@:]*:([^/?#@]+)@/i.exec(value)?.[1];
  return written === undefined ? [] : [written, decoded(written)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
