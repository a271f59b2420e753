/** Whether servers are there at all, asked without starting any of them: a start is a decision, not a look. */
import { accessSync, constants } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import type { ServerConfig } from '../../config/config.ts';
import { fine, wrong } from './finding.ts';
import type { Finding } from './finding.ts';

const PATIENCE_MS = 2_000;

export function serverFindings(servers: readonly ServerConfig[]): Promise<Finding[]> {
  return Promise.all(servers.map(look));
}

async function look({ name, transport }: ServerConfig): Promise<Finding> {
  const what = `server ${name}`;
  if (transport.kind === 'stdio') {
    const { command, cwd } = transport;
    const there = findProgram(command, cwd ?? '.') !== undefined;
    return there
      ? fine(what, command)
      : wrong(what, `${command} is not found`, 'install it, or give its absolute path');
  }
  const { hostname, port, protocol } = new URL(transport.url);
  const why = await reach(hostname.replace(/^\[|\]$/g, ''), Number(port) || (protocol === 'https:' ? 443 : 80));
  return why === undefined ? fine(what, 'listens') : wrong(what, `${hostname}: ${why}`, 'start it, or correct its url');
}

function findProgram(command: string, cwd: string): string | undefined {
  const folders = command.includes('/') || isAbsolute(command) ? [''] : (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => (folder === '' ? resolve(cwd, command) : join(folder, command))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why nobody can be reached there; undefined when somebody can. */
function reach(host: string, port: number): Promise<string | undefined> {
  return new Promise((settle) => {
    const socket = connect({ host, port, timeout: PATIENCE_MS });
    const done = (why: string | undefined) => {
      socket.destroy();
      settle(why);
    };
    socket.once('connect', () => done(undefined));
    socket.once('timeout', () => done('no answer'));
    socket.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
  });
}
