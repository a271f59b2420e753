/** The simplest policy that denies by default: the owner may use the listed servers, nobody may use anything else. */
import { z } from 'zod';
import { defineComponent } from '../../../gateway/component.ts';
import type { Decision, Policy, Question } from '../policy.ts';

const config = z.strictObject({
  servers: z
    .array(z.string())
    .optional()
    .describe('Servers that the owner may use. Default: every server in the configuration.'),
});

export const owner = defineComponent({
  kind: 'policy',
  use: 'owner',
  config,
  create: ({ servers }, deps): Policy => {
    const listed = new Set(servers ?? deps.servers);
    // An empty list that was written down means: not even the gateway itself.
    const nothing = servers?.length === 0;
    return {
      decide: (question) => (nothing ? SILENCE : decide(question, listed)),
      release: (question) => (nothing ? SILENCE : decide(question, listed)),
      epoch: () => 0,
    };
  },
});

const SILENCE: Decision = { effect: 'silence' };

function decide({ principal, resource }: Omit<Question, 'params'>, listed: ReadonlySet<string>): Decision {
  if (!principal.groups.includes('owner')) return { effect: 'silence' };
  if (resource.server !== undefined && !listed.has(resource.server)) return { effect: 'silence' };
  return { effect: 'permit', rules: ['owner'], obligations: [] };
}
