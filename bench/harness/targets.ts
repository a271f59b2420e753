/** Who is called: the upstream itself, plain proxies, the floor of Node, and Sallyport under several configurations. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Native } from './native.ts';
import { freePort, startOn } from './processes.ts';

export interface Target {
  readonly pid: number;
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

/** What every target is started with. */
export interface Scene {
  readonly folder: string;
  readonly native: Native;
  /** The port of the upstream. */
  readonly upstream: number;
}

export type Starter = (scene: Scene) => Promise<Target>;

const NODE = process.execPath;
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export async function startUpstream(native: Native): Promise<Target> {
  const { pid, said, close } = await startOn('around', [native.upstream], /^(\d+)$/);
  return { pid, port: Number(said[1]), headers: {}, close };
}

export const haproxy: Starter = async ({ folder, upstream }) => {
  const port = await freePort();
  const file = join(folder, 'haproxy.cfg');
  await writeFile(file, HAPROXY.replace('PORT', String(port)).replace('UPSTREAM', String(upstream)));
  const { pid, close } = await startOn('measured', ['haproxy', '-db', '-q', '-f', file], undefined);
  await answering(port);
  return { pid, port, headers: {}, close };
};

const HAPROXY = `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend door
  bind 127.0.0.1:PORT
  default_backend upstream
backend upstream
  server one 127.0.0.1:UPSTREAM
`;

export const nginx: Starter = async ({ folder, upstream }) => {
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  const text = NGINX.replaceAll('FOLDER', folder).replace('PORT', String(port)).replace('UPSTREAM', String(upstream));
  await writeFile(file, text);
  const { pid, close } = await startOn('measured', ['nginx', '-p', folder, '-c', file], undefined);
  await answering(port);
  return { pid, port, headers: {}, close };
};

const NGINX = `daemon off;
master_process off;
error_log stderr;
pid FOLDER/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path FOLDER/body;
  proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi;
  uwsgi_temp_path FOLDER/uwsgi;
  scgi_temp_path FOLDER/scgi;
  proxy_buffers 16 16k;
  upstream one { server 127.0.0.1:UPSTREAM; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:PORT;
    location / { proxy_pass http://one; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`;

/** The least that Node can do with what the gateway is made of: `node:http`, undici's `dispatch`, both bodies parsed. */
export const floor: Starter = async ({ upstream }) => {
  const command = [NODE, here('../floor.ts'), String(upstream)];
  const { pid, said, close } = await startOn('measured', command, /^(\d+)$/);
  return { pid, port: Number(said[1]), headers: {}, close };
};

const OURS = here('../..');

/**
 * Sallyport with three ways to the bench's servers, and whatever the row adds or removes.
 * @param root the checkout that is started
 */
export function sallyport(settings: (scene: Scene) => object, flags: readonly string[] = [], root = OURS): Starter {
  return async (scene) => {
    const folder = await mkdtemp(join(scene.folder, 'sallyport-'));
    const file = join(folder, 'sallyport.yaml');
    const data = join(folder, 'data');
    // JSON is YAML
    await writeFile(file, JSON.stringify({ ...common(scene), data, ...settings(scene) }));
    const command = [NODE, ...flags, join(root, 'src/main.ts'), 'up', '--config', file];
    const { pid, said, close } = await startOn('measured', command, /\bready\b.*?http:\/\/127\.0\.0\.1:(\d+)/);
    const token = existsSync(join(data, 'token')) ? await readFile(join(data, 'token'), 'utf8') : '';
    return { pid, port: Number(said[1]), headers: { authorization: `Bearer ${token.trim()}` }, close };
  };
}

function common({ native, upstream }: Scene): object {
  const url = `http://127.0.0.1:${upstream}/mcp`;
  return {
    listen: '127.0.0.1:0',
    log: { level: 'warn' },
    servers: {
      modern: { url, era: 'modern' },
      legacy: { url, era: 'legacy' },
      stdio: { command: native.stdio, era: 'modern' },
    },
  };
}

/** A part of the bench's own. */
export const part = (name: string): { use: string } => ({ use: here(`../parts/${name}.ts`) });

const PATIENCE_MS = 10_000;

/** Until the port takes a request, for programs that do not say when they are ready. */
export async function answering(port: number): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      await (await fetch(`http://127.0.0.1:${port}/`)).arrayBuffer();
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
