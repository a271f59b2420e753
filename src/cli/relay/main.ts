/** The process behind `sallyport stdio`: started by every agent anew, so it loads nothing that it does not need. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { defaultData, places } from '../../config/places.ts';
import { EXIT } from '../exit.ts';
import { relay } from './relay.ts';
import { ensureGateway } from './start.ts';

const DEFAULT_FILE = 'sallyport.yaml';
const WITHIN = 30_000;

const { values, positionals } = words();
const [, server] = positionals;
const file = values.config ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
const { data, socket, token } = places(folder());

await relay({
  server,
  data,
  socket,
  token,
  input: process.stdin,
  output: process.stdout,
  ensure: () =>
    ensureGateway({ data, socket, command: command(), env: { ...process.env, SALLYPORT_DATA: data }, within: WITHIN }),
});
// requests of an agent that is gone keep nobody waiting
process.exit(0);

function words() {
  const options = { config: { type: 'string' }, data: { type: 'string' } } as const;
  try {
    return parseArgs({ args: process.argv.slice(2), allowPositionals: true, options });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return process.exit(EXIT.usage);
  }
}

function command(): string[] {
  const bin = fileURLToPath(new URL('../../../bin/sallyport.js', import.meta.url));
  return [process.execPath, bin, 'up', ...(file === undefined ? [] : ['--config', resolve(file)])];
}

function folder(): string {
  if (values.data !== undefined) return resolve(values.data);
  return (file === undefined ? undefined : named(file)) ?? defaultData(process.env);
}

/** The `data` of a configuration, read without a YAML parser: this process must be up before its agent loses patience. */
function named(file: string): string | undefined {
  const line = /^data:[ \t]+(["']?)([^"'#\n]+?)\1[ \t]*(?:#.*)?$/m.exec(readFileSync(file, 'utf8'));
  const path = line?.[2]?.replace(/^~(?=\/|$)/, homedir());
  return path === undefined ? undefined : resolve(dirname(file), path);
}
