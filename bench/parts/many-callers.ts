/** `Bearer bench-7` is caller 7: one principal may hold 64 sessions only, and the bench opens more. */
import { z } from 'zod';
import { defineComponent, principalKey } from '../../src/component.ts';
import type { Identified, Identity, Principal } from '../../src/component.ts';

export const component = defineComponent({
  kind: 'identity',
  use: 'many-callers',
  config: z.strictObject({}),
  create: (): Identity => {
    const known = new Map<string, Principal>();
    return { identify: (arrival) => identify(arrival.header('authorization') ?? '', known) };
  },
});

function identify(header: string, known: Map<string, Principal>): Identified {
  const caller = /^Bearer (bench-[0-9]+)$/.exec(header)?.[1];
  if (caller === undefined) return { known: false, why: 'absent', challenge: 'Bearer' };
  const principal = known.get(caller) ?? principalOf(caller);
  known.set(caller, principal);
  return { known: true, principal };
}

function principalOf(subject: string): Principal {
  return {
    key: principalKey('default', 'bench', subject),
    tenant: 'default',
    issuer: 'bench',
    subject,
    agent: undefined,
    person: undefined,
    groups: ['owner'],
    chain: [],
    proof: { use: 'many-callers', strength: 'bearer' },
    expires: undefined,
  };
}
