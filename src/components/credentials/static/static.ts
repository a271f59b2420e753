/** One secret for a server, the same for everybody, given as a reference. The agent never sees it; records see its name. */
import { z } from 'zod';
import { defineComponent } from '../../../gateway/component.ts';
import type { Grant } from '../../../gateway/ports.ts';
import type { Credentials } from '../credentials.ts';

const config = z.strictObject({
  headers: z.record(z.string(), z.string()).default({}).describe('HTTP headers with a reference as value, e.g. `Authorization: Bearer ${env:TOKEN}`.'),
  env: z.record(z.string(), z.string()).default({}).describe('Environment of a stdio server, values as references.'),
});

export const staticCredentials = defineComponent({
  kind: 'credentials',
  use: 'static',
  config,
  create: ({ headers, env }): Credentials => {
    const values = [...Object.values(headers), ...Object.values(env)];
    const names = [...Object.keys(headers), ...Object.keys(env)];
    const grant: Grant = { id: `static:${names.join(',')}`, headers: Object.entries(headers), env, secrets: values.flatMap(secretsIn) };
    return { issue: () => ({ issued: true, grant }) };
  },
});

/** A header's value is often a scheme and the secret: the bare secret must not come back either. */
function secretsIn(value: string): string[] {
  const bare = /^\S+ (\S+)$/.exec(value)?.[1];
  return [value, ...(bare === undefined ? [] : [bare])].filter((secret) => secret.length >= 6);
}
