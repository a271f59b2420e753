/**
 * Facts for policy that a policy language cannot compute: canonical paths, hosts, what a statement of SQL does to which tables,
 * who receives mail. It judges nothing. What it cannot read with certainty is named in `unclear`, and is never guessed.
 */
import { z } from 'zod';
import { defineComponent } from '../../../gateway/component.ts';
import { isObject, type Json } from '../../../gateway/document.ts';
import type { Message } from '../../../gateway/exchange.ts';
import type { Facts } from '../../../gateway/stage.ts';
import type { Inspected, Inspection } from '../inspection.ts';
import { recipientsOf } from './mail.ts';
import { pathsOf } from './paths.ts';
import { DIALECTS, sqlReader, type SqlReader } from './sql.ts';
import { urlsOf } from './urls.ts';

const names = (preset: readonly string[]) => z.array(z.string().min(1)).default([...preset]);

const config = z
  .strictObject({
    paths: names([
      'path',
      'paths',
      'file',
      'files',
      'filename',
      'filepath',
      'directory',
      'dir',
      'source',
      'destination',
    ]).describe('Arguments, at any depth, that hold paths of files.'),
    sql: names(['sql', 'query', 'statement']).describe('Arguments that hold SQL.'),
    recipients: names(['to', 'cc', 'bcc', 'recipient', 'recipients']).describe(
      'Arguments that hold addresses of mail.',
    ),
    dialect: z.enum(DIALECTS).default('postgresql').describe('The SQL that the servers speak.'),
  })
  .describe('Facts for policy: canonical paths, hosts of URLs, SQL verbs and tables, recipients of mail.');

type Settings = z.output<typeof config>;

export const facts = defineComponent({
  kind: 'inspection',
  use: 'facts',
  config,
  create: (settings): Inspection => {
    const read = sqlReader(settings.dialect);
    return {
      inspect: (message, _exchange, direction) =>
        direction === 'inward' && message.kind === 'opening' ? found(factsOf(message, settings, read)) : NOTHING,
    };
  },
});

const NOTHING = found({});

function found(facts: Facts): Inspected {
  return { findings: [], facts, refuse: undefined };
}

interface Texts {
  readonly paths: string[];
  readonly sql: string[];
  readonly recipients: string[];
  readonly all: string[];
}

function factsOf({ doc }: Message, settings: Settings, read: SqlReader): Facts {
  const params = isObject(doc.value) ? doc.value['params'] : undefined;
  const args = isObject(params) ? params['arguments'] : undefined;
  if (!isObject(args)) return {};
  const texts: Texts = { paths: [], sql: [], recipients: [], all: [] };
  collect(args, undefined, texts, settings);
  const [paths, urls, sql, mail] = [
    pathsOf(texts.paths),
    urlsOf(texts.all),
    read(texts.sql),
    recipientsOf(texts.recipients),
  ];
  const unclear = Object.entries({ paths, urls, sql, recipients: mail }).filter(([, one]) => one.unclear);
  return { ...paths.facts, ...urls.facts, ...sql.facts, ...mail.facts, unclear: unclear.map(([name]) => name) };
}

/** Strings under the names that were configured, and all strings; lists stand for their items. */
function collect(value: Json, name: string | undefined, into: Texts, settings: Settings): void {
  if (Array.isArray(value)) for (const item of value) collect(item, name, into, settings);
  else if (isObject(value)) for (const [key, item] of Object.entries(value)) collect(item, key, into, settings);
  else if (typeof value === 'string') note(value, name ?? '', into, settings);
}

function note(text: string, name: string, into: Texts, { paths, sql, recipients }: Settings): void {
  into.all.push(text);
  if (paths.includes(name)) into.paths.push(text);
  if (sql.includes(name)) into.sql.push(text);
  if (recipients.includes(name)) into.recipients.push(text);
}
