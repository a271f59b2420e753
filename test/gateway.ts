/** Starts the gateway as a user would, as a process of its own with its data in a temporary folder. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';

export interface Gateway {
  /** Origin, for example `http://127.0.0.1:41234`. */
  url: string;
  /** The owner's bearer token. */
  token: string;
  /** Of its process. */
  pid: number;
  /** The file of its records, where `audit` is not configured otherwise. */
  audit: string;
  /** Everything it has printed so far. */
  printed(): string;
  close(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const STOP_MS = 5_000;

/** @param yaml the configuration; `listen` and `data` have defaults here. Resolves once the gateway says it is ready. */
export async function startGateway(yaml: object): Promise<Gateway> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-'));
  const data = join(folder, 'data');
  const file = join(folder, 'sallyport.yaml');
  await writeFile(file, stringify({ listen: '127.0.0.1:0', data, ...yaml }));
  const child = spawn(process.execPath, [MAIN, 'up', '--config', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const close = async () => {
    await stop(child);
    await rm(folder, { recursive: true, force: true });
  };
  const lines: string[] = [];
  const printed = () => lines.join('\n');
  const audit = join(data, 'audit', 'audit.jsonl');
  try {
    const url = await ready(child, lines);
    const token = (await readFile(join(data, 'token'), 'utf8')).trim();
    return { url, token, pid: child.pid!, audit, printed, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The URL behind the word `ready`, on either stream; whatever was printed, where the process ends without it. */
function ready(child: ChildProcess, printed: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    for (const input of [child.stdout, child.stderr]) {
      if (!input) continue;
      createInterface({ input }).on('line', (line) => {
        printed.push(line);
        const url = /\bready\b.*?(https?:\/\/[^\s"']+)/.exec(line)?.[1];
        if (url) resolve(new URL(url).origin);
      });
    }
    child.once('error', reject);
    child.once('close', () => reject(new Error(`The gateway ended before it was ready:\n${printed.join('\n')}`)));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const patience = new AbortController();
  const timer = after(STOP_MS, 'late', { signal: patience.signal }).catch(() => 'stopped');
  if ((await Promise.race([exited, timer])) === 'late') child.kill('SIGKILL');
  patience.abort();
  await exited;
}
