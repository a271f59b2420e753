/** The words that policies may use: actions, entity types, members of the context. A word that is none of them is a slip. */
import { METHODS } from '../../../gateway/methods.ts';
import { nearest } from '../../../lib/distance.ts';
import type { Compiled } from './compiled.ts';
import { PARTS } from './context.ts';
import { actionEntity, ENTITY_TYPES } from './mapping.ts';

export const ACTIONS: readonly string[] = [...new Set(METHODS.map(({ action }) => action)), 'release'];
const GROUPS = new Set([...ACTIONS.flatMap((action) => actionEntity(action).parents.map(({ id }) => id)), 'admin']);
const TYPES: readonly string[] = [...Object.values(ENTITY_TYPES).flat(), 'Action'];

/** What is wrong with the words of a policy, for its author. */
export function slips({ entities, reads }: Pick<Compiled, 'entities' | 'reads'>): string[] {
  const named = [...entities].map((key) => {
    const at = key.indexOf('::');
    return { type: key.slice(0, at), id: key.slice(at + 2) };
  });
  const types = named
    .filter(({ type }) => !TYPES.includes(type))
    .map(({ type }) => unknown('entity type', type, TYPES));
  const actions = named
    .filter(({ type, id }) => type === 'Action' && !isAction(id))
    .map(({ id }) => unknown('action', id, [...ACTIONS, ...GROUPS]));
  const members = [...reads.children.keys()]
    .filter((name) => !(PARTS as readonly string[]).includes(name))
    .map((name) => unknown('member of the context', name, PARTS));
  return [...new Set([...types, ...actions, ...members])];
}

function isAction(id: string): boolean {
  return ACTIONS.includes(id) || GROUPS.has(id) || /^admin\.[a-z.-]+$/.test(id);
}

export function unknown(what: string, word: string, known: readonly string[]): string {
  const meant = nearest(word, known);
  return `there is no ${what} ${JSON.stringify(word)}${meant === undefined ? '' : `, did you mean ${JSON.stringify(meant)}?`}`;
}
