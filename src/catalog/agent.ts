/** One registered agent, as it is kept and as it is shown. */
import { z } from 'zod';
import type { Principal } from '../gateway/principal.ts';
import { instant, line } from '../lib/line.ts';

const agentName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'a name: a-z, 0-9, ".", "_" and "-", at most 64 characters')
  .describe('Name of the agent, in policies and records.');

const groups = z.array(line(128)).max(64);
const servers = z.array(line(64)).max(256);

/** Parts whose subjects are unique without naming an issuer: there is one owner, and names of keys are kept here. */
const OWN_ISSUER = new Set(['local', 'api-key']);

const proof = z
  .strictObject({
    use: line(256).describe('The identity part that must have verified it, such as `oauth`, `mtls` or `api-key`.'),
    issuer: line(1024).optional().describe('Who says so: an OAuth issuer, a SPIFFE trust domain. Compared exactly.'),
    subject: line(1024).optional().describe('The subject that it must name. Compared exactly.'),
    agent: line(1024).optional().describe('The agent that it must name, such as an OAuth client. Compared exactly.'),
  })
  .refine(({ subject, agent }) => subject !== undefined || agent !== undefined, 'a `subject`, an `agent`, or both')
  .refine(
    ({ use, issuer }) => issuer !== undefined || OWN_ISSUER.has(use),
    'an `issuer`: another one may know the same subject',
  );

const members = {
  owner: line(256).describe('Who answers for it: a person or a team.'),
  description: line(1024).optional().describe('What it is for.'),
  proofs: z.array(proof).min(1).max(16).describe('Any of these makes a caller this agent.'),
  groups: groups.default([]).describe('Groups that policy sees besides those of the proof.'),
  servers: servers.optional().describe('Servers that it may use at all. Absent: policy alone decides.'),
  expires: instant.optional().describe('When its registration ends (RFC 3339).'),
};

const agentState = z.enum(['active', 'suspended', 'quarantined']);

export const newAgent = z.strictObject({ name: agentName, ...members }).describe('An agent to register.');

export const agentRecord = z
  .strictObject({
    name: agentName,
    ...members,
    state: agentState.describe('suspended: nothing. quarantined: it may list, and nothing else.'),
    why: line(1024).optional().describe('Why it is in this state.'),
    created: z.string().describe('RFC 3339.'),
    changed: z.string().describe('RFC 3339.'),
  })
  .describe('A registered agent.');

/** `null` takes a member away. */
export const agentChange = z
  .strictObject({
    owner: members.owner.optional(),
    description: line(1024).nullish().describe('What it is for. `null`: nothing is said.'),
    proofs: members.proofs.optional(),
    groups: groups.optional(),
    servers: servers.nullish().describe('Servers that it may use at all. `null`: policy alone decides.'),
    expires: instant.nullish().describe('When its registration ends. `null`: it does not.'),
  })
  .describe('What is to be different.');

export type Proof = z.infer<typeof proof>;
export type NewAgent = z.infer<typeof newAgent>;
export type Agent = z.infer<typeof agentRecord>;
export type AgentChange = z.infer<typeof agentChange> & {
  readonly state?: z.infer<typeof agentState>;
  readonly why?: string | null;
};

/** What the registry gives to a principal: when one of these moves, it is another caller. */
export const FIELDS = ['agent', 'groups', 'reach', 'quarantined'] as const satisfies readonly (keyof Principal)[];
