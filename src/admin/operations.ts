/** The admin API: one row an operation. */
import { z } from 'zod';
import { agentChange, agentRecord, newAgent } from '../catalog/agent.ts';
import type { Written } from '../catalog/agents.ts';
import { newKey, shownKey } from '../components/identity/api-key/keys.ts';
import { instant, line } from '../lib/line.ts';
import { duration } from '../lib/units.ts';
import { done, operation, problem, type Asked, type Operation, type Outcome } from './operation.ts';

const why = z.strictObject({ why: line(1024).optional().describe('Why, for whoever looks later.') }).prefault({});
const anything = z.looseObject({});
const madeKey = z
  .strictObject({
    key: z.string().describe('The key. It is shown this once.'),
    id: z.string().describe('Names the key in records.'),
    expires: z.string().optional(),
  })
  .describe('A key that was made.');

export const OPERATIONS: readonly Operation[] = [
  operation({
    id: 'status',
    verb: 'GET',
    path: '/status',
    action: 'admin.status.read',
    summary: 'The running gateway: servers, sessions, health.',
    body: undefined,
    answer: anything,
    status: 200,
    run: ({ sources }) => done(sources.status()),
  }),
  operation({
    id: 'configuration',
    verb: 'GET',
    path: '/configuration',
    action: 'admin.configuration.read',
    summary: 'Every setting in force and where it came from. Secrets are shown as references.',
    body: undefined,
    answer: anything,
    status: 200,
    run: ({ sources }) => done(sources.configuration()),
  }),
  // ---- agents
  operation({
    id: 'listAgents',
    verb: 'GET',
    path: '/agents',
    action: 'admin.agents.read',
    summary: 'All registered agents.',
    body: undefined,
    answer: z.strictObject({ agents: z.array(agentRecord) }),
    status: 200,
    run: ({ sources }) => done({ agents: sources.agents.list() }),
  }),
  operation({
    id: 'addAgent',
    verb: 'POST',
    path: '/agents',
    action: 'admin.agents.write',
    summary: 'Registers an agent.',
    body: newAgent,
    answer: agentRecord,
    status: 201,
    run: async ({ body, sources }) => written(await sources.agents.add(body)),
  }),
  operation({
    id: 'showAgent',
    verb: 'GET',
    path: '/agents/{name}',
    action: 'admin.agents.read',
    summary: 'One agent.',
    body: undefined,
    answer: agentRecord,
    status: 200,
    run: ({ params, sources }) => {
      const agent = sources.agents.get(params['name'] ?? '');
      return agent ? done(agent) : noAgent();
    },
  }),
  operation({
    id: 'changeAgent',
    verb: 'PATCH',
    path: '/agents/{name}',
    action: 'admin.agents.write',
    summary: 'Changes an agent. What it has open under other groups or servers than before ends.',
    body: agentChange,
    answer: agentRecord,
    status: 200,
    run: async ({ params, body, sources }) => written(await sources.agents.change(params['name'] ?? '', body)),
  }),
  operation({
    id: 'removeAgent',
    verb: 'DELETE',
    path: '/agents/{name}',
    action: 'admin.agents.write',
    summary: 'Removes an agent from the registry: its callers are unknown then.',
    body: undefined,
    answer: undefined,
    status: 204,
    run: async ({ params, sources }) => ((await sources.agents.remove(params['name'] ?? '')) ? done() : noAgent()),
  }),
  operation({
    id: 'suspendAgent',
    verb: 'POST',
    path: '/agents/{name}/suspend',
    action: 'admin.agents.write',
    summary: 'Suspends an agent: nothing of it goes on, what is open ends at once, on every replica.',
    body: why,
    answer: agentRecord,
    status: 200,
    run: (asked) => state(asked, 'suspended'),
  }),
  operation({
    id: 'quarantineAgent',
    verb: 'POST',
    path: '/agents/{name}/quarantine',
    action: 'admin.agents.write',
    summary: 'Puts an agent into quarantine: it may list, and nothing else.',
    body: why,
    answer: agentRecord,
    status: 200,
    run: (asked) => state(asked, 'quarantined'),
  }),
  operation({
    id: 'resumeAgent',
    verb: 'POST',
    path: '/agents/{name}/resume',
    action: 'admin.agents.write',
    summary: 'Lets an agent go on.',
    body: why,
    answer: agentRecord,
    status: 200,
    run: (asked) => state(asked, 'active'),
  }),
  // ---- keys
  operation({
    id: 'listKeys',
    verb: 'GET',
    path: '/keys',
    action: 'admin.keys.read',
    summary: 'All API keys, without the keys themselves: nobody has those.',
    body: undefined,
    answer: z.strictObject({ keys: z.array(shownKey) }),
    status: 200,
    run: async ({ sources }) => done({ keys: await sources.keys.list() }),
  }),
  operation({
    id: 'createKey',
    verb: 'POST',
    path: '/keys',
    action: 'admin.keys.write',
    summary: 'Makes an API key. The answer holds the key, this once.',
    body: newKey,
    answer: madeKey,
    status: 201,
    run: async ({ body, sources }) => (sources.keysInForce() ? made(await sources.keys.create(body)) : keysUnread()),
  }),
  operation({
    id: 'rotateKey',
    verb: 'POST',
    path: '/keys/{name}/rotate',
    action: 'admin.keys.write',
    summary: 'Makes another key under the same name. The one before counts until the overlap is over.',
    body: z
      .strictObject({
        overlap: duration.prefault('24h').describe('How long the key before counts, such as `24h` or `0s`.'),
        expires: instant.optional().describe('When the new key ends (RFC 3339).'),
      })
      .prefault({}),
    answer: madeKey,
    status: 201,
    run: async ({ params, body, sources }) =>
      made(await sources.keys.rotate(params['name'] ?? '', body.overlap, body.expires)),
  }),
  operation({
    id: 'revokeKey',
    verb: 'POST',
    path: '/keys/{name}/revoke',
    action: 'admin.keys.write',
    summary: 'Revokes all keys of a name, or one. What was opened with them ends at once, on every replica.',
    body: z.strictObject({ id: line(64).optional().describe('One key only. Absent: all of the name.') }).prefault({}),
    answer: undefined,
    status: 204,
    run: async ({ params, body, sources }) =>
      (await sources.keys.revoke(params['name'] ?? '', body.id)) ? done() : noKey(),
  }),
  // ---- this document
  operation({
    id: 'openapi',
    verb: 'GET',
    path: '/openapi.json',
    action: 'admin.openapi.read',
    summary: 'This document.',
    body: undefined,
    answer: anything,
    status: 200,
    run: async ({ sources }) => done((await import('./openapi.ts')).openApi(sources.version)),
  }),
];

async function state(
  { params, body, sources }: Asked<z.output<typeof why>>,
  to: 'active' | 'suspended' | 'quarantined',
): Promise<Outcome> {
  return written(await sources.agents.change(params['name'] ?? '', { state: to, why: body.why ?? null }));
}

function written(outcome: Written): Outcome {
  if (outcome.ok) return done(outcome.agent);
  switch (outcome.why) {
    case 'unknown':
      return noAgent();
    case 'conflict':
      return problem(
        409,
        'Somebody else changed this agent at the same time.',
        'Look at it, and say again what is to change.',
      );
    case 'taken':
      return problem(
        409,
        `The agent ${outcome.by} has this name or one of these proofs.`,
        'A proof makes one agent: change or remove the other.',
      );
  }
}

function made(outcome: Awaited<ReturnType<Asked<unknown>['sources']['keys']['create']>>): Outcome {
  if (outcome.ok) {
    const { key, id, expires } = outcome;
    return done({ key, id, ...(expires === undefined ? {} : { expires }) });
  }
  switch (outcome.why) {
    case 'taken':
      return problem(409, 'There is a key of this name.', 'Rotate it, or choose another name.');
    case 'unknown':
      return noKey();
    case 'conflict':
      return problem(409, 'Somebody else changed this key at the same time.', 'Look at it, and ask again.');
  }
}

function noAgent(): Outcome {
  return problem(404, 'There is no agent of this name.', '`sallyport agent list` names those that there are.');
}

function noKey(): Outcome {
  return problem(404, 'There is no such key.', '`sallyport key list` names those that there are.');
}

function keysUnread(): Outcome {
  return problem(409, 'No identity part reads API keys.', 'Add `- use: api-key` to `identity` in the configuration.');
}
