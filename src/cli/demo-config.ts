/** The configuration of the demo: three real servers, from what is installed, else from the registry through npx. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';

const FILES = fileURLToPath(new URL('../../examples/demo/files', import.meta.url));

interface DemoServer {
  readonly package: string;
  readonly version: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** @param data the gateway's own folder: what the memory server remembers lies there */
export function demoConfig(data: string): string {
  const servers = {
    files: server({ package: '@modelcontextprotocol/server-filesystem', version: '2026.8.31', args: [FILES] }),
    memory: server({
      package: '@modelcontextprotocol/server-memory',
      version: '2026.8.31',
      args: [],
      env: { MEMORY_FILE_PATH: join(data, 'demo-memory.jsonl') },
    }),
    everything: server({ package: '@modelcontextprotocol/server-everything', version: '2026.8.31', args: ['stdio'] }),
  };
  return `# the demo of sallyport\n${stringify({ servers })}`;
}

function server({ package: name, version, args, env }: DemoServer): object {
  const installed = binaryOf(name);
  const start =
    installed === undefined
      ? { command: 'npx', args: ['-y', `${name}@${version}`, ...args] }
      : { command: process.execPath, args: [installed, ...args] };
  return { ...start, ...(env && { env }) };
}

function binaryOf(name: string): string | undefined {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const manifest = folders.map((folder) => join(folder, name, 'package.json')).find((file) => existsSync(file));
  if (manifest === undefined) return undefined;
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin?: string | Record<string, string> };
  const path = typeof bin === 'string' ? bin : Object.values(bin ?? {})[0];
  return path === undefined ? undefined : join(dirname(manifest), path);
}
