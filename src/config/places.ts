/** What lies where in the gateway's own folder. */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export interface Places {
  readonly data: string;
  /** The Unix socket (Windows: the named pipe) that the CLI and the relay use, mode 0600. */
  readonly socket: string;
  /** The owner's bearer token, mode 0600. */
  readonly token: string;
}

export function places(data: string): Places {
  return { data, socket: socketIn(data), token: join(data, 'token') };
}

function socketIn(data: string): string {
  if (process.platform !== 'win32') return join(data, 'sallyport.sock');
  return `\\\\.\\pipe\\sallyport-${createHash('sha256').update(data).digest('hex').slice(0, 16)}`;
}

/** `$SALLYPORT_DATA`, else `~/.sallyport`. */
export function defaultData(env: NodeJS.ProcessEnv): string {
  const set = env['SALLYPORT_DATA'];
  return set ? resolve(set) : join(homedir(), '.sallyport');
}
