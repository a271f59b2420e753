/** Where agents connect: TCP, TLS and Unix sockets, one way in for all of them. */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Arrival, Clock, Core, Log } from '../../gateway/ports.ts';
import { deny } from '../../gateway/verdict.ts';
import { endpointOf, HttpArrival, pathOf, peerOf } from './arrival.ts';
import { corsHeaders, preflightHeaders } from './cors.ts';
import { isLoopback } from './head-rules.ts';
import type { Address, HeadRules } from './head-rules.ts';
import type { SessionRoom } from './legacy-reply.ts';
import { Outgoing, OUTGOING } from './outgoing.ts';
import type { OutgoingSettings } from './outgoing.ts';
import { HttpReply, REPLY } from './reply.ts';
import type { ReplySettings } from './reply.ts';
import { keepFresh, renew, tlsOptions } from './tls.ts';
import type { TlsSettings } from './tls.ts';

export type Bind =
  | {
      readonly kind: 'tcp';
      readonly host: string;
      /** 0: the system chooses. */
      readonly port: number;
      readonly tls?: TlsSettings;
      /** Unencrypted HTTP off loopback: for those who end TLS in front of the gateway, and say so. */
      readonly plain?: boolean;
    }
  /** A Unix socket of mode 0600: whoever can open it is the same user. */
  | { readonly kind: 'socket'; readonly path: string };

export type Route = (request: IncomingMessage, response: ServerResponse) => void;

export interface ListenSettings {
  readonly bind: readonly Bind[];
  /** Milliseconds; bounds for slow senders (CWE-400). */
  readonly timeouts?: { readonly headers: number; readonly request: number; readonly idle: number };
  readonly outgoing?: OutgoingSettings;
  readonly reply?: ReplySettings;
}

export interface ListenDeps {
  readonly core: Core;
  readonly sessions: SessionRoom;
  /** Asked for preflights and CORS only; for messages the core asks. */
  readonly rules: HeadRules;
  readonly clock: Clock;
  readonly log: Log;
  /** Plain handlers by exact path. They judge for themselves who may call: probes come by address, not by name. */
  readonly routes?: Readonly<Record<string, Route>>;
  /** Others whose paths change while the listener is open; asked where `routes` has none. */
  readonly documents?: (path: string) => Route | undefined;
}

export interface Listener {
  /** Where it really listens, in the order of the settings. */
  addresses(): readonly Address[];
  /** The joint endpoint over TCP: `http://127.0.0.1:7777/mcp`. Throws when there is only a socket. */
  url(): string;
  /**
   * Takes no new connections and waits for open responses up to `grace` milliseconds; then everything is closed. The core
   * ends its listening exchanges meanwhile.
   */
  drain(grace: number): Promise<void>;
  /** Puts other certificates in force at every TLS door (configuration reloaded). False: they do not fit, the old stay. */
  renew(tls: TlsSettings): boolean;
  /** Closes everything now. */
  close(): Promise<void>;
}

/** Connections at one door; more are closed as they come, so that descriptors are left for servers and records. */
const MOST_CONNECTIONS = 10_000;

/** Milliseconds between looks for idle connections while the gateway stops. */
const IDLE_LOOK = 50;

const TIMEOUTS = { headers: 15_000, request: 60_000, idle: 75_000 };

/** Opens all or none. Throws with a remedy when an address cannot be used. */
export async function openListener(settings: ListenSettings, deps: ListenDeps): Promise<Listener> {
  for (const bind of settings.bind) assertPrivate(bind);
  const doors: Door[] = [];
  try {
    for (const bind of settings.bind) doors.push(await openDoor(bind, settings, deps));
  } catch (error) {
    await Promise.all(doors.map((door) => door.close()));
    throw error;
  }
  return {
    addresses: () => doors.map((door) => door.address),
    renew: (tls) => doors.every((door) => door.renew(tls)),
    url: () => urlOf(doors.map((door) => door.address)),
    drain: async (grace) => void (await Promise.all(doors.map((door) => door.drain(grace)))),
    close: async () => void (await Promise.all(doors.map((door) => door.close()))),
  };
}

function assertPrivate(bind: Bind): void {
  if (bind.kind === 'socket' || bind.tls !== undefined || bind.plain === true || isLoopback(bind.host)) return;
  throw new Error(
    `${bind.host} is not loopback, and tokens would cross the network unencrypted. Give \`tls\` a certificate and key, or say \`plain: true\` if something in front ends TLS.`,
  );
}

function urlOf(addresses: readonly Address[]): string {
  const tcp = addresses.find((address) => address.kind === 'tcp');
  if (tcp === undefined) throw new Error('this listener has no TCP address');
  const host = tcp.host.includes(':') ? `[${tcp.host}]` : tcp.host;
  return `${tcp.tls ? 'https' : 'http'}://${host}:${tcp.port}/mcp`;
}

// ---- one door --------------------------------------------------------------------------------------------------

interface Door {
  readonly address: Address;
  renew(tls: TlsSettings): boolean;
  drain(grace: number): Promise<void>;
  close(): Promise<void>;
}

async function openDoor(bind: Bind, settings: ListenSettings, deps: ListenDeps): Promise<Door> {
  const state = { draining: false };
  const server = serverFor(bind, settings);
  server.on('request', (request, response) => take(request, response, bind, state, settings, deps));
  const stopWatching = bind.kind === 'tcp' && bind.tls ? keepFresh(server, bind.tls, deps.log) : () => undefined;
  const address = bind.kind === 'tcp' ? await listenTcp(server, bind) : await listenSocket(server, bind.path);
  const closed = new Promise<void>((resolve) => server.once('close', () => resolve()));
  const close = (): Promise<void> => {
    stopWatching();
    server.close();
    server.closeAllConnections();
    return closed;
  };
  const drain = async (grace: number): Promise<void> => {
    state.draining = true;
    server.close();
    server.closeIdleConnections();
    // connections whose answers were begun before are kept alive, and idle with their last byte
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_LOOK);
    const timer = setTimeout(() => server.closeAllConnections(), grace);
    await closed;
    clearInterval(idle);
    clearTimeout(timer);
    stopWatching();
  };
  const secure = bind.kind === 'tcp' && bind.tls !== undefined;
  return { address, renew: (tls) => !secure || renew(server, tls, deps.log), drain, close };
}

/** Streams are long answers, not long requests: only the request is timed. */
function serverFor(bind: Bind, settings: ListenSettings): Server {
  const { headers, request, idle } = settings.timeouts ?? TIMEOUTS;
  const options: ServerOptions = {
    headersTimeout: headers,
    requestTimeout: request,
    keepAliveTimeout: idle,
    // how late the bounds above are noticed at worst
    connectionsCheckingInterval: Math.min(30_000, headers),
    maxHeaderSize: 32 * 1024,
    highWaterMark: 64 * 1024,
    noDelay: true,
    insecureHTTPParser: false,
  };
  const tls = bind.kind === 'tcp' ? bind.tls : undefined;
  const server = tls === undefined ? createServer(options) : createTlsServer({ ...options, ...tlsOptions(tls) });
  server.maxConnections = MOST_CONNECTIONS;
  return server;
}

function listenTcp(server: Server, bind: Extract<Bind, { kind: 'tcp' }>): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`cannot listen on ${bind.host}:${bind.port}: ${error.message}`)));
    server.listen(bind.port, bind.host, () => {
      const { port } = server.address() as AddressInfo;
      resolve({ kind: 'tcp', host: bind.host, port, tls: bind.tls !== undefined });
    });
  });
}

async function listenSocket(server: Server, path: string): Promise<Address> {
  await removeStale(path);
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`cannot listen on ${path}: ${error.message}`)));
    // the file must never exist with wider rights, not even for a moment
    const before = process.umask(0o177);
    try {
      server.listen(path, () => {
        if (process.platform !== 'win32') chmodSync(path, 0o600);
        resolve({ kind: 'socket', path });
      });
    } finally {
      process.umask(before);
    }
  });
}

/** A socket file that nobody answers at is left over from a crash; one that answers is another gateway. */
async function removeStale(path: string): Promise<void> {
  // named pipes leave nothing behind
  if (process.platform === 'win32') return;
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (file === undefined) return;
  if (!file.isSocket()) throw new Error(`${path} exists and is no socket; move it away.`);
  if (await answers(path))
    throw new Error(`a gateway already listens on ${path}; stop it, or use another data directory.`);
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

// ---- one request -----------------------------------------------------------------------------------------------

function take(
  request: IncomingMessage,
  response: ServerResponse,
  bind: Bind,
  state: { readonly draining: boolean },
  settings: ListenSettings,
  deps: ListenDeps,
): void {
  if (state.draining) response.shouldKeepAlive = false;
  const path = pathOf(request.url ?? '/');
  const own = deps.routes !== undefined && Object.hasOwn(deps.routes, path) ? deps.routes[path] : undefined;
  const route = own ?? deps.documents?.(path);
  if (route !== undefined) return route(request, response);
  const origin = request.headers.origin;
  const friendly =
    origin !== undefined &&
    deps.rules.originAllowed(origin, request.headers.host) &&
    deps.rules.hostAllowed(request.headers.host);
  const out = new Outgoing(response, friendly ? corsHeaders(origin) : [], settings.outgoing ?? OUTGOING);
  if (request.method === 'OPTIONS' && friendly) return out.empty(204, preflightHeaders(request));
  enter(request, path, out, bind, settings, deps);
}

function enter(
  request: IncomingMessage,
  path: string,
  out: Outgoing,
  bind: Bind,
  settings: ListenSettings,
  deps: ListenDeps,
): void {
  const asksCertificate = bind.kind === 'tcp' && bind.tls?.clientCa !== undefined;
  const peer = peerOf(request, bind.kind, asksCertificate);
  const verb = verbOf(request.method);
  const arrival = new HttpArrival(request, verb ?? 'GET', endpointOf(path), peer, deps.clock.now());
  const reply = new HttpReply(arrival, out, deps.sessions, settings.reply ?? REPLY);
  // Nothing of the gateway lies here, so nothing is judged or kept; an answer in HTML would be taken for metadata.
  if (arrival.endpoint === undefined) return reply.refuse(deny('endpoint_unknown'), undefined);
  if (verb === undefined) return reply.refuse(deny('verb_not_allowed'), undefined);
  const handling = deps.core.handle(arrival, reply);
  reply.onGone(() => handling.cancel('agent_gone'));
  if (handling.crossed === undefined) reply.crossed();
  else void handling.crossed.then(() => reply.crossed());
}

function verbOf(method: string | undefined): Arrival['verb'] | undefined {
  return method === 'POST' || method === 'GET' || method === 'DELETE' ? method : undefined;
}
