/** Who calls, for this example: three agents with a token each. A gateway in earnest uses `api-key` or `oauth` instead. */
import { defineComponent, principalKey, z } from 'sallyport/component';
import type { Identity, Principal } from 'sallyport/component';

const config = z.strictObject({
  agents: z
    .array(z.strictObject({ name: z.string(), token: z.string(), groups: z.array(z.string()).default([]) }))
    .describe('Agents with their tokens and groups.'),
});

export const component = defineComponent({
  kind: 'identity',
  use: 'agents',
  config,
  create: ({ agents }): Identity => {
    const known = new Map(agents.map(({ token, name, groups }) => [`Bearer ${token}`, principalOf(name, groups)]));
    return {
      identify(arrival) {
        const principal = known.get(arrival.header('authorization') ?? '');
        return principal ? { known: true, principal } : { known: false, why: 'absent', challenge: 'Bearer' };
      },
    };
  },
});

function principalOf(agent: string, groups: readonly string[]): Principal {
  return {
    key: principalKey('default', 'example', agent, agent),
    tenant: 'default',
    issuer: 'example',
    subject: agent,
    agent,
    person: undefined,
    groups,
    chain: [],
    proof: { use: 'agents', strength: 'shared-secret' },
    expires: undefined,
  };
}
