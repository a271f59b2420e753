/** docs/reference/configuration.md: every key, from the descriptions in the schemas. */
import { z } from 'zod';
import { COMPONENTS } from '../../src/components/components.ts';
import { SLOTS } from '../../src/config/config.ts';
import type { JsonSchema } from '../../src/config/known-keys.ts';
import { configSchema } from '../../src/config/schema.ts';
import { code, page, tableOf } from './markdown.ts';

const LEAD = `The file is \`sallyport.yaml\`; \`sallyport check\` says what is wrong with one, \`sallyport explain\` what is in force. An empty file is valid.

An unknown key is an error. Durations and sizes have a unit (\`250ms\`, \`1.5s\`, \`10m\`, \`2h\`, \`7d\`; \`512KB\`, \`4MiB\`). Relative paths start from the folder of the file.

Any string may hold references: \`\${env:NAME}\` is an environment variable, \`\${file:path}\` the content of a file without its last line end. They are shown as references wherever configuration is shown. A plain \`\${\` is written \`$\${\`. Inside \`{ }\` and \`[ ]\`, YAML wants strings with references quoted.

Editors check and complete the file with this first line:

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/sallyport/schema/sallyport.schema.json
\`\`\``;

const PARTS = `Where a part stands, \`use\` names it: one of the box below, a file of your own (\`./my-part.ts\`, which exports a \`component\` made by \`defineComponent\`), or an installed package that exports one. The part's own keys stand beside \`use\`.`;

export function configurationPage(): string {
  const schema = z.toJSONSchema(configSchema(COMPONENTS), { io: 'input' }) as JsonSchema;
  const properties = schema.properties ?? {};
  const slots = Object.keys(SLOTS);
  const nested = Object.entries(properties).filter(([key]) => !slots.includes(key) && key !== 'servers');
  return page(
    'Configuration',
    LEAD,
    '## Keys',
    keysOf(schema),
    ...serverSections(properties['servers']),
    ...nested.flatMap(([key, one]) => objectsIn(one).flatMap((object) => [`## ${code(key)}`, keysOf(object)])),
    '## Parts',
    PARTS,
    ...[...Object.entries(SLOTS), ['servers.<name>.credentials', 'credentials']].flatMap(([slot, kind]) =>
      partSections(slot!, kind!),
    ),
  );
}

function serverSections(servers: JsonSchema | undefined): string[] {
  const rest = typeof servers?.additionalProperties === 'object' ? servers.additionalProperties : {};
  const [http, stdio] = objectsIn(rest);
  const shared = Object.keys(http?.properties ?? {}).filter((key) => stdio?.properties?.[key]);
  const only = (one: JsonSchema | undefined) => keysOf(one ?? {}, (key) => !shared.includes(key));
  const tls = objectsIn(http?.properties?.['tls'] ?? {});
  return [
    '## `servers.<name>`',
    'A name is `a-z`, `0-9` and `-`, at most 31 characters. A server has either a `url` or a `command`.',
    '### A server that is reached by URL',
    only(http),
    ...tls.flatMap((one) => ['#### `tls`', keysOf(one)]),
    '### A server that is started',
    only(stdio),
    '### Keys of both',
    keysOf(http ?? {}, (key) => shared.includes(key)),
  ];
}

function partSections(slot: string, kind: string): string[] {
  const parts = COMPONENTS.filter((component) => component.kind === kind);
  return [
    `### ${code(slot)}`,
    ...(parts.length === 0 ? ['The box holds none.'] : parts.flatMap(({ use, config }) => partSection(use, config))),
  ];
}

function partSection(use: string, config: z.ZodType): string[] {
  const schema = z.toJSONSchema(config, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  const own = Object.keys(schema.properties ?? {}).length > 0 ? keysOf(schema) : 'It has no keys of its own.';
  return [`#### ${code(`use: ${use}`)}`, ...(schema.description ? [schema.description] : []), own];
}

function objectsIn(schema: JsonSchema): JsonSchema[] {
  if (schema.properties) return [schema];
  return [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap(objectsIn);
}

function keysOf({ properties = {}, required = [] }: JsonSchema, wanted: (key: string) => boolean = () => true): string {
  const rows = Object.entries(properties)
    .filter(([key]) => wanted(key))
    .map(([key, one]) => [code(key), typeOf(one), presetOf(one, required.includes(key)), one.description ?? '']);
  return tableOf(['key', 'value', 'default', 'meaning'], rows);
}

function presetOf({ default: preset }: JsonSchema, required: boolean): string {
  if (required) return 'required';
  return preset === undefined ? '' : code(JSON.stringify(preset));
}

function typeOf(schema: JsonSchema): string {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices?.some((one) => one.properties?.['use'])) return 'a part';
  if (choices) return [...new Set(choices.map(typeOf))].join(' or ');
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum) return schema.enum.map((value) => code(String(value))).join(' · ');
  if (schema.properties?.['use']) return 'a part';
  if (schema.type === 'array') return `list of ${schema.items ? typeOf(schema.items) : 'anything'}`;
  if (schema.type === 'object') return 'mapping';
  if (schema.pattern?.includes('ms|s|m|h|d')) return 'duration';
  if (schema.pattern?.includes('KiB')) return 'size';
  return schema.format === 'uri' ? 'URL' : (schema.type ?? 'anything');
}
