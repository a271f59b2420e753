/**
 * What statements of SQL do, by a real parser. Only what it understands as a whole counts: a comment, a backslash or deep
 * nesting is read in different ways by different databases, or slowly, and is `unclear`.
 */
import { createRequire } from 'node:module';
import { distinct, type Reading } from './reading.ts';

export const DIALECTS = ['postgresql', 'mysql', 'mariadb', 'sqlite', 'transactsql', 'bigquery', 'snowflake'] as const;
export type Dialect = (typeof DIALECTS)[number];
export type SqlReader = (texts: readonly string[]) => Reading;

interface Parsed {
  readonly tableList: readonly string[];
  readonly ast: unknown;
}

interface Parser {
  parse(sql: string, options: { readonly database: string }): Parsed;
}

const require = createRequire(import.meta.url);

/** Loads the parser of the dialect when it is first needed: about 30 ms. */
export function sqlReader(dialect: Dialect): SqlReader {
  let parser: Parser | undefined;
  const load = (): Parser => {
    const module = require(`node-sql-parser/build/${dialect}`) as { readonly Parser: new () => Parser };
    return new module.Parser();
  };
  return (texts) => {
    if (texts.length === 0) return NONE;
    parser ??= load();
    return read(texts, parser, dialect);
  };
}

const NONE: Reading = { facts: { sqlVerbs: [], sqlTables: [], sqlFunctions: [] }, unclear: false };
const UNKNOWN = 'unknown';
const LONGEST = 4_096;
// The parser tries nested brackets again and again.
const DEEPEST = 7;
const MOST_BRACKETS = 48;

function read(texts: readonly string[], parser: Parser, dialect: Dialect): Reading {
  const statements = texts.map((text) => statementsOf(text, parser, dialect));
  const whole = statements.flatMap((one) => one ?? []);
  const unclear = statements.includes(undefined);
  const more = unclear ? [UNKNOWN] : [];
  return {
    facts: {
      sqlVerbs: distinct([...whole.flatMap(({ verbs }) => verbs), ...more]),
      sqlTables: distinct([...whole.flatMap(({ tables }) => tables), ...more]),
      sqlFunctions: distinct([...whole.flatMap(({ functions }) => functions), ...more]),
    },
    unclear,
  };
}

interface Statement {
  readonly verbs: readonly string[];
  readonly tables: readonly string[];
  readonly functions: readonly string[];
}

function statementsOf(text: string, parser: Parser, database: Dialect): Statement | undefined {
  if (text.length > LONGEST || /--|\/\*|\\|#/.test(text) || !isShallow(text)) return undefined;
  try {
    const { tableList, ast } = parser.parse(text, { database });
    return statement(tableList, ast);
  } catch {
    return undefined;
  }
}

function isShallow(text: string): boolean {
  let depth = 0;
  let brackets = 0;
  for (const character of text) {
    if (character === '(' || character === '[') {
      depth += 1;
      brackets += 1;
    } else if (character === ')' || character === ']') depth -= 1;
    if (depth > DEEPEST || brackets > MOST_BRACKETS) return false;
  }
  return true;
}

/** @param tableList `select::schema::table`, where `null` is no schema */
function statement(tableList: readonly string[], ast: unknown): Statement | undefined {
  const all = [ast].flat().filter((one) => one !== undefined && one !== null);
  const used = tableList.map((entry) => entry.split('::'));
  if (all.length === 0 || used.some((entry) => entry.length !== 3)) return undefined;
  const found: Found = { functions: [], writes: false };
  walk(ast, found);
  const verbs = [...all.map((one) => word((one as { type?: unknown }).type)), ...used.map(([verb]) => word(verb))];
  const tables = used.map(([, schema, table]) =>
    [schema === 'null' ? undefined : schema, table].filter(Boolean).join('.'),
  );
  return {
    verbs: found.writes ? [...verbs, 'into'] : verbs,
    tables: tables.map((one) => one.toLowerCase()),
    functions: found.functions,
  };
}

function word(verb: unknown): string {
  return typeof verb === 'string' && /^[a-z_ ]+$/i.test(verb) ? verb.toLowerCase() : UNKNOWN;
}

interface Found {
  readonly functions: string[];
  /** `select … into` makes a table, or a file. */
  writes: boolean;
}

/** Functions can read files and run programs, whatever the verb says. */
function walk(node: unknown, found: Found): void {
  if (Array.isArray(node)) return node.forEach((one) => walk(one, found));
  if (typeof node !== 'object' || node === null) return;
  const { type, name, into } = node as { type?: unknown; name?: unknown; into?: { position?: unknown } | null };
  if (type === 'function') found.functions.push(nameOf(name));
  if (into?.position) found.writes = true;
  for (const one of Object.values(node)) walk(one, found);
}

function nameOf(name: unknown): string {
  const { name: parts, schema } = (name ?? {}) as {
    name?: readonly { value?: unknown }[];
    schema?: { value?: unknown } | null;
  };
  const words = [schema?.value, ...(Array.isArray(parts) ? parts.map(({ value }) => value) : [])];
  const text = words.filter((one) => typeof one === 'string').join('.');
  return text === '' ? UNKNOWN : text.toLowerCase();
}
