/** What a server can list: the four kinds of definitions, and how the protocol spells each of them. */
import type { JsonObject } from '../gateway/document.ts';
import type { DefinitionKind } from '../gateway/exchange.ts';
import type { ServerSurface } from '../gateway/ports.ts';

export interface KindRow {
  readonly list: string;
  /** Member of the list's result that holds the definitions. */
  readonly member: string;
  /** Member of a definition that names it. */
  readonly key: string;
  readonly capability: string;
  /** The notification after which the list is no longer true. */
  readonly news: string;
}

// prettier-ignore
export const KINDS: Readonly<Record<DefinitionKind, KindRow>> = {
  tool:     { list: 'tools/list',               member: 'tools',             key: 'name',        capability: 'tools',     news: 'notifications/tools/list_changed' },
  prompt:   { list: 'prompts/list',             member: 'prompts',           key: 'name',        capability: 'prompts',   news: 'notifications/prompts/list_changed' },
  resource: { list: 'resources/list',           member: 'resources',         key: 'uri',         capability: 'resources', news: 'notifications/resources/list_changed' },
  template: { list: 'resources/templates/list', member: 'resourceTemplates', key: 'uriTemplate', capability: 'resources', news: 'notifications/resources/list_changed' },
};

export const ALL_KINDS: readonly DefinitionKind[] = ['tool', 'prompt', 'resource', 'template'];

export function kindListedBy(method: string): DefinitionKind | undefined {
  return ALL_KINDS.find((kind) => KINDS[kind].list === method);
}

export function offers(surface: ServerSurface, kind: DefinitionKind): boolean {
  return own(surface.capabilities, KINDS[kind].capability) !== undefined;
}

/** Whether the server promises to tell when this list changes. */
export function tellsChanges(surface: ServerSurface, kind: DefinitionKind): boolean {
  return own(own(surface.capabilities, KINDS[kind].capability), 'listChanged') === true;
}

/** A member of an object of the hostile side: never one of its prototype. */
export function own(value: unknown, name: string): JsonObject[string] | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as JsonObject)[name];
}
