/** The four flavours of our own MCP server under `test/fixtures/conformance`. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type Era = 'legacy' | 'modern';

/** One way of being served; each speaks one era only. */
export interface Flavour {
  era: Era;
  transport: 'http' | 'stdio';
}

export interface Running {
  url: string;
  close(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../fixtures/conformance/main.ts', import.meta.url));

/** What starts a flavour with stdin and stdout as its pipe. */
export function stdioCommand(era: Era): { command: string; args: string[] } {
  return { command: process.execPath, args: [MAIN, '--era', era, '--transport', 'stdio'] };
}

/** Starts an HTTP flavour on a free loopback port. It ends with this process. */
export async function startFixture(era: Era): Promise<Running> {
  const child = fork(MAIN, ['--era', era, '--transport', 'http'], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  const url = await Promise.race([listening(child.stdout), exited]);
  if (typeof url !== 'string') throw new Error(`The ${era} fixture ended before it listened`);
  return {
    url,
    close: async () => {
      child.kill();
      await exited;
    },
  };
}

async function listening(stdout: NodeJS.ReadableStream | null): Promise<string | undefined> {
  if (!stdout) return undefined;
  for await (const line of createInterface({ input: stdout })) {
    if (line.startsWith('listening ')) return line.slice('listening '.length);
  }
  return undefined;
}
