/** Other MCP proxies from npm, in a folder of their own: installed when they are asked for, never by `npm ci`. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, startOn } from './processes.ts';
import type { Called } from './requests.ts';
import type { Row } from './rows.ts';
import { answering, type Scene, type Starter } from './targets.ts';

const FOLDER = fileURLToPath(new URL('../peers', import.meta.url));

export function installPeers(): void {
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: FOLDER,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) throw new Error('the peers could not be installed');
}

type Command = (port: number, scene: Scene) => readonly string[];

/** In the era that both speak. mcp-hub answers agents over HTTP+SSE only, where answers come on another stream: it is not here. */
export function peerRows(called: Called): readonly Row[] {
  const row = (name: string, command: Command): Row => {
    return { ...called, path: '/mcp', group: 'peers 1.5 KB', name, target: { name, start: peer(command) } };
  };
  return [
    row('mcp-proxy → stdio', (port, { native }) => [
      bin('mcp-proxy/dist/bin/mcp-proxy.mjs'),
      ...`--host 127.0.0.1 --port ${port} --server stream -- ${native.stdio}`.split(' '),
    ]),
    row('supergateway → stdio', (port, { native }) => [
      bin('supergateway/dist/index.js'),
      ...`--stdio ${native.stdio} --outputTransport streamableHttp --stateful`.split(' '),
      ...`--port ${port} --logLevel none`.split(' '),
    ]),
  ];
}

const bin = (path: string): string => join(FOLDER, 'node_modules', path);

function peer(command: Command): Starter {
  return async (scene) => {
    const port = await freePort();
    const words = [process.execPath, ...command(port, scene)];
    const { pid, close } = await startOn('measured', words, undefined, { NODE_ENV: 'production' });
    await answering(port);
    return { pid, port, headers: {}, close };
  };
}
