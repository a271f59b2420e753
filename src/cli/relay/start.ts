/** Starts the gateway when none runs. However many relays start at once, one of them starts one gateway. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';

export interface StartSettings {
  /** The gateway's own folder. */
  readonly data: string;
  readonly socket: string;
  /** The whole command line: program and arguments. */
  readonly command: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds until somebody must listen at the socket. */
  readonly within: number;
}

const LOOK = 25;
/** A lock without a process in it was made by one that died in the same moment. */
const UNSIGNED = 2000;

/** Resolves when somebody listens; throws an Error that says why not. */
export async function ensureGateway(settings: StartSettings): Promise<void> {
  mkdirSync(settings.data, { recursive: true, mode: 0o700 });
  const deadline = Date.now() + settings.within;
  const lock = join(settings.data, 'start.lock');
  while (!(await listens(settings.socket))) {
    if (Date.now() > deadline) throw new Error(`no gateway listens at ${settings.socket} after ${settings.within} ms`);
    if (!take(lock)) await after(LOOK);
    else await whileLocked(lock, () => start(settings, deadline));
  }
}

async function whileLocked(lock: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    unlinkSync(lock);
  }
}

/** Creating the file is the lock; a holder that is dead no longer holds it. */
function take(lock: string): boolean {
  try {
    const file = openSync(lock, 'wx', 0o600);
    writeSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (isStale(lock)) remove(lock);
    return false;
  }
}

function isStale(lock: string): boolean {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    return pid > 0 ? !isAlive(pid) : Date.now() - statSync(lock).mtimeMs > UNSIGNED;
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Should two remove it at once and both start a gateway, the socket lets only one of them live. */
function remove(lock: string): void {
  try {
    unlinkSync(lock);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

async function start({ data, socket, command, env, within }: StartSettings, deadline: number): Promise<void> {
  if (await listens(socket)) return;
  const [program, ...args] = command;
  if (program === undefined) throw new Error('no gateway runs, and there is no command to start one');
  const told = join(data, 'start.log');
  const output = openSync(told, 'w', 0o600);
  // its own process group: it outlives this relay and the agent that started it
  const child = spawn(program, args, { detached: true, stdio: ['ignore', 'ignore', output], ...(env && { env }) });
  closeSync(output);
  let over: string | undefined;
  child.on('error', (error) => (over = error.message));
  child.on('exit', (code, signal) => (over = `it ended with ${signal ?? code}`));
  child.unref();
  while (!(await listens(socket))) {
    if (over !== undefined) throw new Error(`the gateway could not be started (${over}): ${lastLine(told)}`);
    if (Date.now() > deadline) throw new Error(`the gateway was started but does not listen after ${within} ms`);
    await after(LOOK);
  }
}

function lastLine(file: string): string {
  return readFileSync(file, 'utf8').trim().split('\n').at(-1) ?? '';
}

function listens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket, () => {
      connection.destroy();
      resolve(true);
    });
    connection.on('error', () => resolve(false));
  });
}
