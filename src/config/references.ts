/**
 * References in configured strings: `${env:NAME}`, `${file:path}`; `$${` is a plain `${`.
 * Values are resolved before the check, so that a URL from the environment is checked as a URL. What people are shown
 * (problems, explain, digest) is made of the text as it was written, and scrubbed of every value that was resolved.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Path } from './source.ts';

export interface ReferenceFault {
  readonly path: Path;
  readonly expected: string;
  readonly found: string;
}

export interface Resolved {
  readonly value: unknown;
  readonly faults: readonly ReferenceFault[];
  /** Absolute paths of the files that were referred to, also of those that could not be read. */
  readonly files: readonly string[];
  /** Replaces every resolved value in a text by its reference. */
  readonly scrub: (text: string) => string;
}

const REFERENCE = /\$\$\{|\$\{([^}]*)\}?/g;
const MAX_BYTES = 2 ** 20;
// Shorter values are no secrets, and replacing them would tear ordinary words apart.
const SCRUB_FROM = 4;

/** @param base folder that relative file references start from */
export function resolveReferences(tree: unknown, env: NodeJS.ProcessEnv, base: string): Resolved {
  const faults: ReferenceFault[] = [];
  const files: string[] = [];
  const values: [value: string, reference: string][] = [];
  const one = (whole: string, name: string | undefined, path: Path): string => {
    if (whole === '$${') return '${';
    const looked = look(whole, name ?? '', env, base);
    if (looked.file !== undefined) files.push(looked.file);
    if (looked.value !== undefined && looked.value.length >= SCRUB_FROM) values.push([looked.value, whole]);
    if (looked.fault !== undefined) faults.push({ path, ...looked.fault });
    return looked.value ?? whole;
  };
  const walk = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') return value.replace(REFERENCE, (whole, name) => one(whole, name as string, path));
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]));
  };
  const value = walk(tree, []);
  values.sort(([a], [b]) => b.length - a.length);
  const scrub = (text: string) =>
    values.reduce((rest, [secret, reference]) => rest.replaceAll(secret, reference), text);
  return { value, faults, files, scrub };
}

interface Looked {
  readonly value?: string;
  readonly file?: string;
  readonly fault?: { readonly expected: string; readonly found: string };
}

function look(whole: string, name: string, env: NodeJS.ProcessEnv, base: string): Looked {
  const [, scheme, rest] = /^(env|file):(.+)$/.exec(name) ?? [];
  if (!whole.endsWith('}') || rest === undefined) {
    return { fault: { expected: '${env:NAME}, ${file:path}, or $${ for a plain ${', found: JSON.stringify(whole) } };
  }
  return scheme === 'env' ? fromEnvironment(rest, env) : fromFile(resolve(base, rest));
}

function fromEnvironment(name: string, env: NodeJS.ProcessEnv): Looked {
  const value = env[name];
  if (value !== undefined && value !== '') return { value };
  const found = value === undefined ? 'nothing' : 'an empty value';
  return {
    fault: { expected: `the environment variable ${name}`, found: `${found} (set it where the gateway is started)` },
  };
}

function fromFile(file: string): Looked {
  try {
    const bytes = readFileSync(file);
    if (bytes.length > MAX_BYTES)
      return { file, fault: { expected: `at most 1 MiB in ${file}`, found: `${bytes.length} bytes` } };
    return { file, value: bytes.toString('utf8').replace(/\r?\n$/, '') };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'an error';
    return { file, fault: { expected: `a readable file ${file}`, found: `${code} (create it, or correct the path)` } };
  }
}
