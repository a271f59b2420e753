/** From what zod found to what a person can repair: expected, found, and what was probably meant. */
import type { z } from 'zod';
import { nearest } from '../lib/distance.ts';
import { knownKeys } from './known-keys.ts';
import type { JsonSchema } from './known-keys.ts';
import { mayBeSecret, pathText } from './problem.ts';
import type { Problem } from './problem.ts';
import type { Path, Source } from './source.ts';

type Issue = z.core.$ZodIssue;

interface Fault {
  readonly path: Path;
  readonly expected: string;
  readonly found: string;
  readonly meant?: string | undefined;
  /** The fault is the key itself, not what stands behind it. */
  readonly key?: true;
  readonly missing?: true;
}

/** @param schema JSON Schema of what was checked: it knows which keys would have been right */
export function problemsOf(issues: readonly Issue[], source: Source, schema: JsonSchema): Problem[] {
  const faults = issues.flatMap((issue) => faultsOf(issue, [], source.value, schema));
  return faults
    .filter((fault) => !faults.some((other) => explains(other, fault)))
    .map((fault) => located(fault, source));
}

/** `comand` is the reason why `command` is missing: one mistake, one line. */
function explains(other: Fault, fault: Fault): boolean {
  if (fault.missing === undefined || other.key === undefined || other.meant !== fault.path.at(-1)) return false;
  return pathText(other.path.slice(0, -1)) === pathText(fault.path.slice(0, -1));
}

function located(fault: Fault, source: Source): Problem {
  const { expected, found, meant } = fault;
  const place = fault.key ? source.keyPlace(fault.path) : source.place(fault.path);
  return {
    file: source.file,
    place,
    path: pathText(fault.key ? fault.path.slice(0, -1) : fault.path),
    expected,
    found,
    meant,
  };
}

function faultsOf(issue: Issue, base: Path, tree: unknown, schema: JsonSchema): Fault[] {
  const path = [...base, ...issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))];
  const value = valueAt(tree, path);
  const plain = (expected: string): Fault[] => [{ path, expected, found: shown(value, path), ...missing(value) }];
  switch (issue.code) {
    case 'invalid_type':
      return plain(
        issue.message.startsWith('Invalid') ? (TYPES[issue.expected] ?? issue.expected) : words(issue.message),
      );
    case 'invalid_value':
      return [
        {
          path,
          expected: oneOf(issue.values.map(String)),
          found: shown(value, path),
          ...guess(value, issue.values.map(String)),
        },
      ];
    case 'too_small':
      return plain(`at least ${bound(issue.origin, issue.minimum)}`);
    case 'too_big':
      return plain(`at most ${bound(issue.origin, issue.maximum)}`);
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey([...path, key], knownKeys(schema, path, tree)));
    case 'invalid_key':
      return [{ path, key: true, expected: words(issue.issues[0]?.message), found: JSON.stringify(path.at(-1)) }];
    case 'invalid_union':
      return issue.discriminator === undefined
        ? union(issue.errors, path, tree, schema)
        : [wrongPart(issue, path, tree)];
    case 'invalid_format':
      return plain(issue.message.startsWith('Invalid') ? `a ${issue.format}` : words(issue.message));
    case 'not_multiple_of':
      return plain(`a multiple of ${issue.divisor}`);
    case 'invalid_element':
    case 'custom':
      return plain(words(issue.message));
  }
}

function unknownKey(path: Path, known: readonly string[]): Fault {
  const key = String(path.at(-1));
  const meant = nearest(key, known);
  const expected = known.length > 0 ? `one of ${known.join(', ')}` : 'no keys here';
  return { path, key: true, expected, found: `the unknown key ${JSON.stringify(key)}`, meant };
}

function wrongPart(issue: Issue & { code: 'invalid_union' }, path: Path, tree: unknown): Fault {
  const options = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
  const value = valueAt(tree, path);
  const expected = `${oneOf(options)}, a path such as "./my-part.ts", or the name of an installed package`;
  return { path, expected, found: shown(value, path), ...guess(value, options) };
}

/** Of a choice, the branch that was most probably meant: the one with the fewest faults, where types agree at all. */
function union(branches: readonly (readonly Issue[])[], path: Path, tree: unknown, schema: JsonSchema): Fault[] {
  const candidates = branches.map((issues) => issues.flatMap((issue) => faultsOf(issue, path, tree, schema)));
  const shallow = candidates.filter((faults) =>
    faults.some((fault) => fault.path.length === path.length && !fault.key),
  );
  if (shallow.length === candidates.length) return [either(shallow.flat())];
  const onlyMissing = candidates.filter((faults) => faults.length === 1 && faults[0]?.missing);
  if (onlyMissing.length > 1) {
    const keys = onlyMissing.map(([fault]) => JSON.stringify(fault?.path.at(-1)));
    return [{ path, expected: `the key ${keys.join(' or ')}`, found: shown(valueAt(tree, path), path) }];
  }
  const deep = candidates.filter((faults) => !shallow.includes(faults));
  return deep.sort((a, b) => cost(a) - cost(b))[0] ?? [];
}

function either(faults: readonly Fault[]): Fault {
  const specific = faults.filter((fault) => !Object.values(TYPES).includes(fault.expected));
  const chosen =
    specific.length > 0 && typeof faults[0] === 'object' && faults[0].found.startsWith('"') ? specific : faults;
  return { ...faults[0]!, expected: [...new Set(chosen.map((fault) => fault.expected))].join(' or ') };
}

function cost(faults: readonly Fault[]): number {
  return faults.length - (faults.some((fault) => faults.some((other) => explains(other, fault))) ? 1 : 0);
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
  null: 'null',
};

const COUNTED: Readonly<Record<string, string>> = { string: 'character', array: 'item', object: 'key' };

function bound(origin: string, limit: number | bigint): string {
  const thing = COUNTED[origin];
  return thing === undefined ? String(limit) : `${limit} ${thing}${Number(limit) === 1 ? '' : 's'}`;
}

function oneOf(values: readonly string[]): string {
  if (values.length === 0) return 'no part of this kind (the box holds none)';
  return `${values.length > 1 ? 'one of ' : ''}${values.map((value) => JSON.stringify(value)).join(', ')}`;
}

function guess(value: unknown, words: readonly string[]): { meant?: string | undefined } & { missing?: true } {
  return typeof value === 'string' ? { meant: nearest(value, words) } : missing(value);
}

function missing(value: unknown): { missing?: true } {
  return value === undefined ? { missing: true } : {};
}

/** A schema's own sentence, which continues "expected …". */
function words(message = 'something else'): string {
  return message.replace(/\.$/, '').replace(/^expected /i, '');
}

const LONGEST = 60;

/** What was written there. A literal that may be a secret is named by its type only. */
export function shown(value: unknown, path: Path): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'an empty value';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = JSON.stringify(value);
  if (mayBeSecret(text, path)) return `a ${typeof value}`;
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

export function valueAt(tree: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, step) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    return (value as Record<string | number, unknown>)[step];
  }, tree);
}
