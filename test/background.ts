/** A gateway that a relay started by itself, which nobody waits for: found at its socket, ended by its process id. */
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_MS = 25;
const WITHIN_MS = 20_000;

/** The process id of the gateway with this data folder, as soon as it answers. */
export async function backgroundPid(data: string): Promise<number> {
  const until = Date.now() + WITHIN_MS;
  for (;;) {
    try {
      return await askedPid(data);
    } catch (error) {
      if (Date.now() > until) throw error;
      await pause(LOOK_MS);
    }
  }
}

/** Waits for it to start first, if need be; resolves when the process is gone. */
export async function endBackground(data: string): Promise<void> {
  const pid = await backgroundPid(data);
  process.kill(pid, 'SIGTERM');
  const until = Date.now() + WITHIN_MS;
  while (isAlive(pid)) {
    if (Date.now() > until) throw new Error(`The gateway ${pid} does not end`);
    await pause(LOOK_MS);
  }
}

async function askedPid(data: string): Promise<number> {
  const token = (await readFile(join(data, 'token'), 'utf8')).trim();
  const headers = { host: 'localhost', authorization: `Bearer ${token}` };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { socketPath: join(data, 'sallyport.sock'), path: '/admin/v1/status', headers, agent: false };
    request(options, resolve).on('error', reject).end();
  });
  return (JSON.parse(await text(response)) as { pid: number }).pid;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
