/** Processes on a core of their own, and what Linux counts of them. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';

/** What is measured has a core for itself; who calls it and who answers it share the other. */
export type Core = 'measured' | 'around';

export const PINNED = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0;

/** USER_HZ is 100 on every Linux that Node runs on (proc(5)). */
const TICK_MICROSECONDS = 10_000;
const PAGE_KB = 4;
/** As much of what a process prints is kept for an error message. */
const LINES = 100;

export interface Started {
  readonly pid: number;
  /** What `ready` found in what it printed, on either stream. */
  readonly said: readonly string[];
  readonly close: () => Promise<void>;
}

/**
 * Resolves when the process has printed a line that matches, at once where it says nothing when it is ready; rejects with
 * all it printed when it ends before.
 */
export async function startOn(
  core: Core,
  command: readonly string[],
  ready: RegExp | undefined,
  env = {},
): Promise<Started> {
  const [program = '', ...words] = pinned(core, command);
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const said = await printed(child, ready, command.join(' '));
  return { pid: child.pid ?? 0, said, close: () => stop(child) };
}

export function pinned(core: Core, command: readonly string[]): readonly string[] {
  return PINNED ? ['taskset', '-c', core === 'measured' ? '0' : '1', ...command] : command;
}

function printed(child: ChildProcess, ready: RegExp | undefined, name: string): Promise<readonly string[]> {
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    for (const input of [child.stdout, child.stderr]) {
      if (!input) continue;
      createInterface({ input }).on('line', (line) => {
        if (lines.length < LINES) lines.push(line);
        const match = ready?.exec(line);
        if (match) resolve(match);
      });
    }
    if (!ready) child.once('spawn', () => resolve([]));
    child.once('error', reject);
    child.once('close', () => reject(new Error(`${name} ended before it was ready:\n${lines.join('\n')}`)));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await exited;
  clearTimeout(late);
}

/** Microseconds of CPU that all threads of this process have taken, in user and kernel mode. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in parentheses, may hold anything; utime and stime are the 12th and 13th field behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS;
}

/** Resident memory in KB. */
export function memoryOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_KB;
}

/** For programs that cannot say which port they took. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export function installed(program: string): boolean {
  return spawnSync(program, ['-v'], { stdio: 'ignore' }).error === undefined;
}
