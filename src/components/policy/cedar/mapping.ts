/** From principals, actions and resources to Cedar's entities: total, and written down in docs/reference/policy.md. */
import type { Principal } from '../../../gateway/principal.ts';
import type { Resource } from '../policy.ts';

export interface Uid {
  readonly type: string;
  readonly id: string;
}

/** An entity with everything that it is `in`, directly or not. None has attributes: what changes stands in the context. */
export interface Entity {
  readonly uid: Uid;
  readonly parents: readonly Uid[];
}

export const ENTITY_TYPES = {
  principal: ['Agent', 'Person', 'Subject'],
  resource: ['Tool', 'Prompt', 'Resource', 'Template', 'Task', 'Server', 'Gateway'],
  parent: ['Group', 'Role', 'Tenant'],
} as const;

export const keyOf = ({ type, id }: Uid): string => `${type}::${id}`;

/** Who is in a role of the configuration. */
export interface RoleMembers {
  readonly agents: readonly string[];
  readonly people: readonly string[];
  readonly groups: readonly string[];
}

export type Roles = Readonly<Record<string, RoleMembers>>;

/** The agent if the proof names one, else the person, else the bare subject of its issuer. */
export function principalEntity(principal: Principal, roles: Roles): Entity {
  const { agent, person, groups, tenant } = principal;
  const uid = principalUid(principal);
  const parents: Uid[] = [];
  if (person !== undefined && uid.type !== 'Person') parents.push({ type: 'Person', id: person });
  for (const id of new Set(groups)) parents.push({ type: 'Group', id });
  for (const [id, members] of Object.entries(roles))
    if (isMember(members, agent, person, groups)) parents.push({ type: 'Role', id });
  parents.push({ type: 'Tenant', id: tenant });
  return { uid, parents };
}

function principalUid({ agent, person, issuer, subject }: Principal): Uid {
  if (agent !== undefined) return { type: 'Agent', id: agent };
  if (person !== undefined) return { type: 'Person', id: person };
  return { type: 'Subject', id: `${escaped(issuer)}|${escaped(subject)}` };
}

/** Two issuers and subjects never give one name, whatever characters they hold. */
function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('|', '%7C');
}

function isMember(
  members: RoleMembers,
  agent: string | undefined,
  person: string | undefined,
  groups: readonly string[],
): boolean {
  if (agent !== undefined && members.agents.includes(agent)) return true;
  if (person !== undefined && members.people.includes(person)) return true;
  return members.groups.some((group) => groups.includes(group));
}

export const GATEWAY: Uid = { type: 'Gateway', id: 'gateway' };

export function resourceEntity({ kind, server = '', name = '' }: Resource): Entity {
  const within = (type: string): Entity => ({
    uid: { type, id: `${server}/${name}` },
    parents: [{ type: 'Server', id: server }],
  });
  switch (kind) {
    case 'tool':
      return within('Tool');
    case 'prompt':
      return within('Prompt');
    case 'resource':
      return within('Resource');
    case 'template':
      return within('Template');
    case 'task':
      return within('Task');
    case 'server':
      return { uid: server === '' ? GATEWAY : { type: 'Server', id: server }, parents: [] };
    case 'gateway':
      return { uid: GATEWAY, parents: [] };
  }
}

/** Without these an agent can ask for nothing: sessions, lists, news, and the gateway's own answers. */
const CONNECT = new Set([
  'session.open',
  'session.stream',
  'session.end',
  'gateway.ping',
  'server.discover',
  'tool.list',
  'prompt.list',
  'resource.list',
  'task.list',
  'events.listen',
  'logging.set-level',
  'roots.changed',
  'exchange.cancel',
  'exchange.progress',
]);

/** `tool.call` is in `Action::"tool"`; what every agent needs is in `Action::"connect"` as well. */
export function actionEntity(action: string): Entity {
  const dot = action.indexOf('.');
  const parents: Uid[] = dot > 0 ? [{ type: 'Action', id: action.slice(0, dot) }] : [];
  if (CONNECT.has(action)) parents.push({ type: 'Action', id: 'connect' });
  return { uid: { type: 'Action', id: action }, parents };
}
