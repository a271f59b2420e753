/** Cedar's JSON schema of everything that a policy can be asked, with the arguments of one tool as its server declares them. */
import type { SchemaJson, Type } from '@cedar-policy/cedar-wasm/nodejs';
import { isObject, type Json, type JsonObject } from '../../../gateway/document.ts';
import { METHODS, type TargetKind } from '../../../gateway/methods.ts';
import { actionEntity, ENTITY_TYPES } from './mapping.ts';

/** Tools as servers declare them. A server that was never seen is not listed. */
export interface Known {
  readonly servers: readonly string[];
  readonly tools: readonly KnownTool[];
}

export interface KnownTool {
  readonly server: string;
  readonly name: string;
  readonly inputSchema: Json;
}

/** A type of Cedar's, or undefined where a declaration says nothing that Cedar could check. */
export type Shape =
  | { readonly type: 'String' | 'Long' | 'Boolean' }
  | { readonly type: 'Set'; readonly element: Shape | undefined }
  | { readonly type: 'Record'; readonly members: Readonly<Record<string, Member>> };

interface Member {
  readonly shape: Shape | undefined;
  readonly required: boolean;
}

const DEEPEST = 12;

/** JSON Schema 2020-12, the part of it that says types. Everything else is left to validation of arguments. */
export function shapeOf(schema: Json | undefined, depth = 0): Shape | undefined {
  if (!isObject(schema) || depth > DEEPEST) return undefined;
  const { type, anyOf, oneOf, enum: words } = schema;
  const choices = anyOf ?? oneOf;
  if (Array.isArray(choices)) return onlyOne(choices, depth);
  if (Array.isArray(type))
    return onlyOne(
      type.map((one) => ({ ...schema, type: one })),
      depth,
    );
  if (type === undefined && Array.isArray(words) && words.every((word) => typeof word === 'string'))
    return { type: 'String' };
  switch (type) {
    case 'string':
      return { type: 'String' };
    case 'integer':
    case 'number':
      return { type: 'Long' };
    case 'boolean':
      return { type: 'Boolean' };
    case 'array':
      return { type: 'Set', element: shapeOf(schema['items'], depth + 1) };
    case 'object':
      return { type: 'Record', members: membersOf(schema, depth) };
    default:
      return undefined;
  }
}

/** `string or null` is a string: null is refused where it is read. Other choices have no one type. */
function onlyOne(choices: readonly Json[], depth: number): Shape | undefined {
  const real = choices.filter((one) => !(isObject(one) && one['type'] === 'null'));
  return real.length === 1 ? shapeOf(real[0], depth + 1) : undefined;
}

function membersOf(schema: JsonObject, depth: number): Record<string, Member> {
  const { properties, required } = schema;
  const needed = new Set(Array.isArray(required) ? required : []);
  const entries = Object.entries(isObject(properties) ? properties : {});
  return Object.fromEntries(
    entries.map(([name, one]) => [name, { shape: shapeOf(one, depth + 1), required: needed.has(name) }]),
  );
}

/** Members without a type are left out: policies that read them are not checked against this tool. */
function cedarType(shape: Shape): Type<string> {
  if (shape.type === 'Set')
    return { type: 'Set', element: shape.element ? cedarType(shape.element) : { type: 'String' } };
  return shape.type === 'Record' ? record(shape.members) : { type: shape.type };
}

function record(members: Readonly<Record<string, Member>>): Type<string> {
  const typed = Object.entries(members).filter(([, { shape }]) => shape !== undefined);
  const attributes = typed.map(([name, { shape, required }]) => [name, { ...cedarType(shape!), required }]);
  return { type: 'Record', attributes: Object.fromEntries(attributes) } as Type<string>;
}

const text = { type: 'String' } as const;
const long = { type: 'Long' } as const;
const bool = { type: 'Boolean' } as const;
const texts = { type: 'Set', element: text } as const;
const needed = (shape: Shape): Member => ({ shape, required: true });
const all = (members: Readonly<Record<string, Shape>>): Shape => ({
  type: 'Record',
  members: Object.fromEntries(Object.entries(members).map(([name, shape]) => [name, needed(shape)])),
});

/** Facts that the part `facts` of the box computes. Others have no type that is known here. */
export const FACTS: Shape = {
  type: 'Record',
  members: {
    // Absent where no argument holds a path.
    path: { shape: text, required: false },
    ...Object.fromEntries(
      [
        'paths',
        'hosts',
        'schemes',
        'ports',
        'sqlVerbs',
        'sqlTables',
        'sqlFunctions',
        'recipients',
        'recipientDomains',
        'unclear',
      ].map((name) => [name, needed(texts)]),
    ),
  },
};

const CONTEXT: Readonly<Record<string, Shape>> = {
  facts: FACTS,
  method: text,
  time: all({
    date: text,
    year: long,
    month: long,
    day: long,
    weekday: long,
    hour: long,
    minute: long,
    minutes: long,
    zone: text,
    calendars: texts,
  }),
  run: all({ id: text, labels: texts }),
  risk: long,
  principal: all({ issuer: text, subject: text, proof: text, strength: text, scopes: texts }),
};

/** The shape at a path of the context, `known` where a path leads somewhere that has one. */
export function typed(path: readonly string[], args: Shape): boolean {
  const [root, ...rest] = path;
  if (root === 'network') return rest.length === 0 || rest[0] === 'local' || rest[0] === 'ip';
  const shape = root === 'args' ? args : CONTEXT[root ?? ''];
  return typedAt(shape, rest, root === 'args');
}

/** A member that is declared nowhere is the author's slip, which the check shall tell; one without a type cannot be checked. */
function typedAt(shape: Shape | undefined, [step, ...rest]: readonly string[], closed: boolean): boolean {
  if (shape === undefined) return false;
  if (step === undefined) return shape.type !== 'Set' || shape.element !== undefined;
  if (shape.type !== 'Record') return true;
  if (!Object.hasOwn(shape.members, step)) return closed;
  return typedAt(shape.members[step]!.shape, rest, closed);
}

function contextType(args: Shape): Type<string> {
  const network = {
    type: 'Record',
    attributes: { local: { ...bool, required: true }, ip: { type: 'Extension', name: 'ipaddr', required: false } },
  };
  const { attributes } = record({
    ...Object.fromEntries(Object.entries(CONTEXT).map(([name, shape]) => [name, needed(shape)])),
    args: needed(args),
  }) as unknown as { attributes: object };
  return { type: 'Record', attributes: { ...attributes, network: { ...network, required: true } } } as Type<string>;
}

const EMPTY: Shape = { type: 'Record', members: {} };
const URI: Shape = all({ uri: text });

/** @param admin further actions of administration that policies name */
export function cedarSchema(args: Shape, admin: readonly string[]): SchemaJson<string> {
  const contexts = { tool: contextType(args), uri: contextType(URI), none: contextType(EMPTY) };
  const typeFor = (action: string) =>
    action === 'tool.call' ? contexts.tool : action.startsWith('resource.') ? contexts.uri : contexts.none;
  const actions = [...resourcesByAction(admin)].map(([action, resourceTypes]) => [
    action,
    {
      appliesTo: {
        principalTypes: [...ENTITY_TYPES.principal],
        resourceTypes: [...resourceTypes],
        context: typeFor(action),
      },
      memberOf: actionEntity(action).parents.map(({ id }) => ({ id })),
    },
  ]);
  const groups = new Set(['admin', 'connect', ...[...resourcesByAction(admin).keys()].flatMap(groupsOf)]);
  const bare = [...groups].map((id) => [id, {}]);
  return { '': { entityTypes: entityTypes(), actions: Object.fromEntries([...bare, ...actions]) as never } };
}

function groupsOf(action: string): string[] {
  return actionEntity(action).parents.map(({ id }) => id);
}

const ABOUT: Readonly<Record<TargetKind, readonly string[]>> = {
  gateway: ['Gateway'],
  servers: ['Server', 'Gateway'],
  tool: ['Tool'],
  prompt: ['Prompt'],
  resource: ['Resource', 'Template'],
  reference: ['Prompt', 'Resource', 'Template'],
  task: ['Task'],
  exchange: ENTITY_TYPES.resource,
};

function resourcesByAction(admin: readonly string[]): Map<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  const note = (action: string, types: readonly string[]) =>
    void found.set(action, new Set([...(found.get(action) ?? []), ...types]));
  for (const { action, target } of METHODS) note(action, ABOUT[target]);
  note('release', ENTITY_TYPES.resource);
  for (const action of admin) note(action, ['Gateway']);
  return found;
}

function entityTypes(): Record<string, object> {
  const bare = [...ENTITY_TYPES.parent, 'Gateway', 'Server'].map((name) => [name, {}]);
  const callers = ENTITY_TYPES.principal.map((name) => [
    name,
    { memberOfTypes: [...ENTITY_TYPES.parent, ...(name === 'Person' ? [] : ['Person'])] },
  ]);
  const served = ['Tool', 'Prompt', 'Resource', 'Template', 'Task'].map((name) => [
    name,
    { memberOfTypes: ['Server'] },
  ]);
  return Object.fromEntries([...bare, ...callers, ...served]) as Record<string, object>;
}
