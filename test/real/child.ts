/** Child processes that end for certain: each leads a process group, because `npx` and its like start the real server as a grandchild. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after as afterAll } from 'node:test';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as after } from 'node:timers/promises';

/** A program as the gateway's configuration names it. `env` comes on top of what every program gets. */
export interface Program {
  command: string;
  args: string[];
  cwd?: string;
  env?: Record<string, string>;
}

export interface Child extends AsyncDisposable {
  process: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Everything it wrote to stderr so far. */
  printed: () => string;
  /** Closes stdin, then TERM, then KILL to the whole group. Resolves when the process is gone. */
  close: () => Promise<void>;
}

const PATIENCE_MS = 2_000;
const living = new Set<number>();
/** What a test that failed or timed out did not close would keep its file from ending. */
const endAll = () => living.forEach((pid) => signal(pid, 'SIGKILL'));
afterAll(endAll);
process.once('exit', endAll);

export function start({ command, args, cwd, env }: Program): Child {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid !== undefined) living.add(pid);
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stdin.on('error', () => {});
  child.once('error', (error) => (text += error.message));
  const close = () => end(child);
  return { process: child, printed: () => text, close, [Symbol.asyncDispose]: close };
}

/** Resolves when a line on either stream matches; rejects with what was printed when the process ends before. */
export function printedLine({ process: child, printed }: Child, wanted: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on('line', (line) => wanted.test(line) && resolve(line));
    }
    child.once('close', () => reject(new Error(`It ended before it printed ${String(wanted)}:\n${printed()}`)));
  });
}

async function end(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  child.stdin.end();
  signal(pid, 'SIGTERM');
  if (child.exitCode === null && child.signalCode === null) {
    const patience = new AbortController();
    const late = after(PATIENCE_MS, 'late', { signal: patience.signal }).catch(() => 'stopped');
    const exited = once(child, 'exit');
    if ((await Promise.race([exited, late])) === 'late') signal(pid, 'SIGKILL');
    await exited;
    patience.abort();
  }
  // What a dead leader left behind in its group.
  signal(pid, 'SIGKILL');
  living.delete(pid);
}

function signal(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name);
  } catch {
    // The group is gone already.
  }
}
