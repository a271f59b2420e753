/**
 * Every value in force and where it came from: what the file says as it says it, and the schema's defaults where it is
 * silent. Built from the text and the JSON Schema alone, so no resolved reference can be in it.
 */
import { below, branches, fitting } from './known-keys.ts';
import type { JsonSchema } from './known-keys.ts';
import { mayBeSecret, pathText } from './problem.ts';
import type { Path, Source } from './source.ts';

export interface Effective {
  readonly tree: Readonly<Record<string, unknown>>;
  /** By path of each leaf: `sallyport.yaml:4:11`, `command line`, or `default`. */
  readonly origins: ReadonlyMap<string, string>;
}

type Plain = Readonly<Record<string, unknown>>;

/** @param data the gateway's own folder, whose default is no constant */
export function effectiveTree(source: Source, schema: JsonSchema, data: string): Effective {
  const origins = new Map<string, string>();
  const origin = (path: Path, written: boolean) => {
    if (!written) return 'default';
    if (source.set.includes(String(path[0]))) return 'command line';
    const { line, column } = source.place(path);
    return `${source.file}:${line}:${column}`;
  };
  const complete = (value: unknown, path: Path, schemas: readonly JsonSchema[], written: boolean): unknown => {
    if (value === undefined) {
      const preset = schemas.find((one) => one.default !== undefined)?.default;
      return preset === undefined ? undefined : complete(preset, path, schemas, false);
    }
    const fit = fitting(schemas.flatMap(branches), value);
    const step = (item: unknown, key: string | number) =>
      complete(
        item,
        [...path, key],
        fit.flatMap((one) => below(one, key)),
        written,
      );
    if (isPlain(value)) return completeObject(value, fit, step);
    if (Array.isArray(value) && value.length > 0) return value.map(step);
    origins.set(pathText(path), origin(path, written));
    return value;
  };
  const tree = complete(source.value ?? {}, [], [schema], true) as Record<string, unknown>;
  if (tree['data'] === undefined) origins.set('data', 'default');
  return { tree: { ...tree, data: tree['data'] ?? data }, origins };
}

const HIDDEN = '(a literal secret: write it as a reference)';

/** The tree as people may see it: literals where secrets usually stand are hidden, references are shown. */
export function shownTree(tree: unknown, path: Path = []): unknown {
  if (Array.isArray(tree)) return tree.map((item, index) => shownTree(item, [...path, index]));
  if (isPlain(tree)) {
    return Object.fromEntries(Object.entries(tree).map(([key, item]) => [key, shownTree(item, [...path, key])]));
  }
  return typeof tree === 'string' && mayBeSecret(tree, path) ? HIDDEN : tree;
}

function completeObject(
  value: Plain,
  schemas: readonly JsonSchema[],
  step: (item: unknown, key: string) => unknown,
): Plain {
  const keys = new Set([...Object.keys(value), ...schemas.flatMap((one) => Object.keys(one.properties ?? {}))]);
  const entries = [...keys].map((key) => [key, step(value[key], key)] as const);
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}

function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
