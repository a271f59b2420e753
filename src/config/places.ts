/** What lies where in the gateway's own folder. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export interface Places {
  readonly data: string;
  /** The Unix socket that the CLI and the relay use, mode 0600. */
  readonly socket: string;
  /** The owner's bearer token, mode 0600. */
  readonly token: string;
}

export function places(data: string): Places {
  return { data, socket: join(data, 'sallyport.sock'), token: join(data, 'token') };
}

/** `$SALLYPORT_DATA`, else `~/.sallyport`. */
export function defaultData(env: NodeJS.ProcessEnv): string {
  const set = env['SALLYPORT_DATA'];
  return set ? resolve(set) : join(homedir(), '.sallyport');
}
