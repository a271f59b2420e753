/** Reads, checks and resolves a configuration file; says everything that is wrong with it at once. */
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { inspect } from 'node:util';
import { z } from 'zod';
import type { AnyComponent } from '../gateway/component.ts';
import { canonicalDigest } from '../lib/canonical-json.ts';
import type { Config } from './config.ts';
import { conflicts } from './conflicts.ts';
import { effectiveTree, shownTree } from './effective.ts';
import type { Effective } from './effective.ts';
import { problemsOf } from './faults.ts';
import type { JsonSchema } from './known-keys.ts';
import { ownParts } from './own-parts.ts';
import { inOrder, pathText } from './problem.ts';
import type { Problem } from './problem.ts';
import { resolveReferences } from './references.ts';
import type { Resolved } from './references.ts';
import { configSchema } from './schema.ts';
import { settle } from './settle.ts';
import { readYaml } from './source.ts';
import type { Path, Source } from './source.ts';

export interface Loaded {
  readonly ok: true;
  readonly config: Config;
  /** Every value in force, with references as they were written; `shownTree` of it is safe to show. */
  readonly effective: Effective;
  /** SHA-256 in hex of the effective tree. */
  readonly digest: string;
  /** Absolute paths: the file itself and what it refers to. */
  readonly files: readonly string[];
}

export interface NotLoaded {
  readonly ok: false;
  readonly problems: readonly Problem[];
  readonly files: readonly string[];
}

export type LoadResult = Loaded | NotLoaded;

export interface LoadOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Top-level keys that the command line sets: they stand before what the file says. */
  readonly set?: Readonly<Record<string, unknown>>;
}

/** @param components what is in the box; parts of the user's own are found by what the file names */
export async function loadConfig(
  file: string,
  components: readonly AnyComponent[],
  options: LoadOptions = {},
): Promise<LoadResult> {
  const path = resolve(file);
  const text = readText(path);
  if (text === undefined) return { ok: false, problems: [unreadable(file)], files: [path] };
  return checkText(text, path, components, options);
}

/** The same for a text that lies nowhere yet; `file` names it in problems, and relative paths start from its folder. */
export async function checkText(
  text: string,
  file: string,
  components: readonly AnyComponent[],
  { env = process.env, set = {} }: LoadOptions = {},
): Promise<LoadResult> {
  const read = readYaml(basename(file), text);
  if (!read.ok) return { ok: false, problems: inOrder(read.problems), files: [file] };
  const source = overlaid(read.source, set);
  const resolved = resolveReferences(source.value ?? {}, env, dirname(file));
  const files = [file, ...resolved.files];
  const own = await ownParts(resolved.value, components, file);
  const all = [...components, ...own.parts];
  const schema = configSchema(all);
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  const checked = schema.safeParse(resolved.value);
  const faults = [...resolved.faults, ...own.faults].map((fault) => placed(fault, source));
  const issues = checked.success ? [] : issuesOf(checked.error, source, json, [...resolved.faults, ...own.faults]);
  const config = checked.success ? settle(checked.data, all, dirname(file), env) : undefined;
  const clashes = config ? conflicts(config).map((fault) => placed(fault, source)) : [];
  const problems = [...faults, ...issues, ...clashes].map((problem) => scrubbed(problem, resolved));
  if (!config || problems.length > 0) return { ok: false, problems: inOrder(problems), files };
  return loaded(config, source, json, files);
}

function overlaid(source: Source, set: Readonly<Record<string, unknown>>): Source {
  const keys = Object.keys(set);
  if (keys.length === 0) return source;
  const { value } = source;
  return {
    ...source,
    set: keys,
    value: typeof value === 'object' && value !== null ? { ...value, ...set } : (value ?? set),
  };
}

function loaded(config: Omit<Config, 'digest'>, source: Source, json: JsonSchema, files: readonly string[]): Loaded {
  const effective = effectiveTree(source, json, config.data);
  const digest = canonicalDigest(effective.tree);
  return { ok: true, config: guarded({ ...config, digest }, effective), effective, digest, files };
}

/** Whoever prints the configuration gets the effective tree: resolved secrets stay out of logs by accident too. */
function guarded(config: Config, effective: Effective): Config {
  const show = { value: () => shownTree(effective.tree), enumerable: false };
  return Object.defineProperties(config, { toJSON: show, [inspect.custom]: show });
}

function issuesOf(error: z.ZodError, source: Source, json: JsonSchema, known: readonly { path: Path }[]): Problem[] {
  const told = new Set(known.map(({ path }) => pathText(path)));
  return problemsOf(error.issues, source, json).filter((problem) => !told.has(problem.path));
}

function placed(fault: { path: Path; expected: string; found: string }, source: Source): Problem {
  const { path, expected, found } = fault;
  return { file: source.file, place: source.place(path), path: pathText(path), expected, found };
}

function scrubbed(problem: Problem, { scrub }: Resolved): Problem {
  return { ...problem, expected: scrub(problem.expected), found: scrub(problem.found) };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function unreadable(file: string): Problem {
  const found = 'none (create it, or name another with --config)';
  return { file, place: { line: 1, column: 1 }, path: '', expected: 'a readable configuration file', found };
}
