/** What the JSON Schema says of a place: which keys would have been right, which branch was chosen. */
import type { Path } from './source.ts';

export interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly required?: readonly string[];
  readonly const?: unknown;
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly format?: string;
}

export function knownKeys(schema: JsonSchema, path: Path, tree: unknown): string[] {
  let schemas = fitting(branches(schema), tree);
  let value = tree;
  for (const step of path) {
    value = child(value, step);
    schemas = fitting(schemas.flatMap((one) => below(one, step)).flatMap(branches), value);
  }
  return [...new Set(schemas.flatMap((one) => Object.keys(one.properties ?? {})))];
}

export function branches(schema: JsonSchema): readonly JsonSchema[] {
  const choices = schema.anyOf ?? schema.oneOf;
  return choices === undefined ? [schema] : choices.flatMap(branches);
}

export function below(schema: JsonSchema, step: string | number): readonly JsonSchema[] {
  if (typeof step === 'number') return schema.items ? [schema.items] : [];
  const property = schema.properties && Object.hasOwn(schema.properties, step) ? schema.properties[step] : undefined;
  const rest = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
  return [property ?? rest].filter((one) => one !== undefined);
}

/** The branches that a value chooses by its `use`, then by its required keys; all of them, where it chooses none. */
export function fitting(schemas: readonly JsonSchema[], value: unknown): readonly JsonSchema[] {
  const use = child(value, 'use');
  const named = someOrAll(schemas, ({ properties }) => use !== undefined && properties?.['use']?.const === use);
  return someOrAll(named, ({ required = [] }) => required.every((key) => child(value, key) !== undefined));
}

function someOrAll(schemas: readonly JsonSchema[], chosen: (schema: JsonSchema) => boolean): readonly JsonSchema[] {
  const some = schemas.filter(chosen);
  return some.length > 0 ? some : schemas;
}

function child(value: unknown, step: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
  return (value as Record<string | number, unknown>)[step];
}
