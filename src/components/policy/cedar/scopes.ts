/** Whether the scope of a policy can match: `==`, `in`, `is`, `is … in`, as Cedar means them. */
import type { ActionConstraint, PrincipalConstraint, ResourceConstraint } from '@cedar-policy/cedar-wasm/nodejs';
import { actionEntity, keyOf, type Entity, type Uid } from './mapping.ts';

/** The entity that a resource must be, or be in; undefined: any, or any of a type. */
export function anchorOf(constraint: ResourceConstraint): string | undefined {
  const at = entityOf(constraint);
  return at && keyOf(at);
}

function entityOf(constraint: PrincipalConstraint | ResourceConstraint): Uid | undefined {
  const { entity, in: within } = constraint as { entity?: unknown; in?: { entity?: unknown } };
  const found = (entity ?? within?.entity) as { __entity?: Uid } | undefined;
  return found && (found.__entity ?? (found as Uid));
}

export function isWithin(constraint: PrincipalConstraint | ResourceConstraint, { uid, parents }: Entity): boolean {
  const at = anchorOf(constraint);
  const isAt = at === undefined || keyOf(uid) === at;
  const isIn = isAt || parents.some((parent) => keyOf(parent) === at);
  switch (constraint.op) {
    case 'All':
      return true;
    case '==':
      return isAt;
    case 'in':
      return isIn;
    case 'is':
      return constraint.entity_type === uid.type && isIn;
  }
}

function actionsOf(constraint: ActionConstraint): readonly Uid[] | undefined {
  if (constraint.op === 'All') return undefined;
  const many = 'entities' in constraint ? constraint.entities : [(constraint as { entity: unknown }).entity];
  return many.map((one) => ((one as { __entity?: Uid }).__entity ?? one) as Uid);
}

export function isAction(constraint: ActionConstraint, { uid, parents }: Entity): boolean {
  const wanted = actionsOf(constraint);
  if (wanted === undefined) return true;
  const own = constraint.op === '==' ? [uid] : [uid, ...parents];
  return wanted.some((one) => own.some((other) => keyOf(one) === keyOf(other)));
}

/** A policy about every action says nothing about releases: it may read arguments, which a release has not. */
export function namesRelease(constraint: ActionConstraint): boolean {
  return actionsOf(constraint)?.some(({ type, id }) => type === 'Action' && id === 'release') ?? false;
}

export const scopeHolds = {
  action: (constraint: ActionConstraint, action: string): boolean => isAction(constraint, actionEntity(action)),
  tool: (constraint: ResourceConstraint, server: string, name: string): boolean =>
    isWithin(constraint, {
      uid: { type: 'Tool', id: `${server}/${name}` },
      parents: [{ type: 'Server', id: server }],
    }),
};
