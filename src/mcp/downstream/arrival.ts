/** One HTTP request as the core sees it: headers looked up in one pass, the body read once and never beyond its limit. */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Endpoint } from '../../gateway/exchange.ts';
import type { Arrival, Peer } from '../../gateway/ports.ts';
import { duplicateHeader } from '../codec/headers.ts';

const SERVER_PATH = /^\/mcp\/([A-Za-z0-9_-][A-Za-z0-9._-]{0,63})$/;

/** `/mcp` is all servers joined, `/mcp/<server>` one of them. Anything else is no endpoint. */
export function endpointOf(path: string): Endpoint | undefined {
  if (path === '/mcp') return { kind: 'joint' };
  const server = SERVER_PATH.exec(path)?.[1];
  return server === undefined ? undefined : { kind: 'server', server };
}

/** The path of a request target. Queries mean nothing here: tokens never travel in them (basic/authorization). */
export function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

export class HttpArrival implements Arrival {
  readonly verb: Arrival['verb'];
  readonly endpoint: Endpoint | undefined;
  readonly peer: Peer;
  readonly at: number;
  readonly #request: IncomingMessage;
  /** Undefined where all names differ: what node:http made of them is then what was sent. */
  readonly #repeated: ReadonlyMap<string, string> | undefined;

  constructor(request: IncomingMessage, verb: Arrival['verb'], endpoint: Endpoint | undefined, peer: Peer, at: number) {
    this.#request = request;
    this.#repeated = allDiffer(request) ? undefined : byName(request.rawHeaders);
    this.verb = verb;
    this.endpoint = endpoint;
    this.peer = peer;
    this.at = at;
  }

  header(name: string): string | undefined {
    if (this.#repeated !== undefined) return this.#repeated.get(name);
    const { headers } = this.#request;
    const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
    return Array.isArray(value) ? value.join(', ') : value;
  }

  get duplicates(): readonly string[] {
    const name = this.#repeated === undefined ? undefined : duplicateHeader(this.#request.rawHeaders);
    return name === undefined ? [] : [name];
  }

  get announced(): number | undefined {
    const length = this.header('content-length');
    return length === undefined ? undefined : Number(length);
  }

  body(limit: number): Promise<Buffer | 'too_large' | 'gone'> {
    if ((this.announced ?? 0) > limit) return Promise.resolve('too_large');
    return collect(this.#request, limit);
  }
}

/** A name that node:http does not keep (`__proto__`) counts as one that came twice, and is looked at more closely. */
function allDiffer({ headers, rawHeaders }: IncomingMessage): boolean {
  let names = 0;
  for (const name in headers) if (Object.hasOwn(headers, name)) names += 1;
  return names === rawHeaders.length / 2;
}

/** Values of a repeated header are joined as RFC 9110 §5.3 says; those that decide are refused before anyone reads them. */
function byName(rawHeaders: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    const before = headers.get(name);
    headers.set(name, before === undefined ? rawHeaders[at + 1]! : `${before}, ${rawHeaders[at + 1]!}`);
  }
  return headers;
}

function collect(request: IncomingMessage, limit: number): Promise<Buffer | 'too_large' | 'gone'> {
  if (request.destroyed && !request.complete) return Promise.resolve('gone');
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= limit) return void chunks.push(chunk);
      // nothing more is kept; the answer closes the connection
      request.off('data', take).pause();
      resolve('too_large');
    };
    request.on('data', take);
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on('error', () => resolve('gone'));
    request.on('close', () => resolve('gone'));
  });
}

/** Who is at the other end of a connection; the same for all its requests, so it is found out once. */
export function peerOf(request: IncomingMessage, kind: 'tcp' | 'socket', asksCertificate: boolean): Peer {
  const { socket } = request;
  const known = peers.get(socket);
  if (known !== undefined) return known;
  const encrypted = 'encrypted' in socket;
  const [certificate, ...intermediates] = encrypted && asksCertificate ? verifiedChain(socket as TLSSocket) : [];
  const peer: Peer = {
    address: kind === 'socket' ? 'socket' : (socket.remoteAddress ?? ''),
    encrypted,
    certificate,
    intermediates,
  };
  peers.set(socket, peer);
  return peer;
}

const peers = new WeakMap<object, Peer>();

/** The agent's certificate, and what stands between it and an authority; the authority comes last, as its own issuer. */
function verifiedChain(socket: TLSSocket): Buffer[] {
  if (!socket.authorized) return [];
  const chain: Buffer[] = [];
  let at = socket.getPeerCertificate(true);
  while (at?.raw !== undefined && !chain.some((seen) => seen.equals(at.raw))) {
    chain.push(at.raw);
    at = at.issuerCertificate;
  }
  return chain;
}
