/**
 * `npm run generate`: files that are made from source, so that they cannot say something else than it does.
 *
 *   --check   writes nothing; exits 1 and names what is stale
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cliPage } from './reference/cli.ts';
import { configurationPage } from './reference/configuration.ts';
import { reasonsPage } from './reference/reasons.ts';
import { openApi } from '../src/admin/openapi.ts';
import { GATEWAY } from '../src/version.ts';
import { auditRecordSchema, configurationSchema } from './reference/schemas.ts';

const FILES: Readonly<Record<string, () => string>> = {
  'schema/sallyport.schema.json': () => json(configurationSchema()),
  'schema/audit-record.schema.json': () => json(auditRecordSchema()),
  'schema/openapi.json': () => json(openApi(GATEWAY.version)),
  'docs/reference/configuration.md': configurationPage,
  'docs/reference/reasons.md': reasonsPage,
  'docs/reference/cli.md': cliPage,
};

const { values: options } = parseArgs({ options: { check: { type: 'boolean' } } });

const stale: string[] = [];
for (const [path, make] of Object.entries(FILES)) {
  const file = fileURLToPath(new URL(`../${path}`, import.meta.url));
  const text = make();
  if (text === (await readFile(file, 'utf8').catch(() => undefined))) continue;
  stale.push(path);
  if (!options.check) await write(file, text);
}

for (const path of stale) console.log(`${options.check ? 'stale' : 'written'} ${path}`);
if (options.check && stale.length > 0) {
  console.error('run `npm run generate`');
  process.exitCode = 1;
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
