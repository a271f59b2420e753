/** Which `Host` and `Origin` a request may name: the defence against DNS rebinding (transports, security warning). */

/** Where the gateway listens. `port` is the real one. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls: boolean }
  | { readonly kind: 'socket'; readonly path: string };

export interface HeadSettings {
  /** Public names of the gateway, `name` (any port) or `name:port`. */
  readonly hosts: readonly string[];
  /** Origins of browser clients, exactly as browsers send them: `https://app.example.com`. */
  readonly origins: readonly string[];
  /** A function where ports are chosen by the system and known later. */
  readonly listen: readonly Address[] | (() => readonly Address[]);
}

export interface HeadRules {
  hostAllowed(host: string | undefined): boolean;
  /** `host`: the request's own Host, which `hostAllowed` has accepted. */
  originAllowed(origin: string | undefined, host?: string): boolean;
}

/**
 * Loopback names are right on a listener that only this machine reaches, with any port, because tunnels change it. A
 * request without Origin comes from no browser. `null` is what sandboxed and local pages send: nobody's origin.
 */
export function headRules(settings: HeadSettings): HeadRules {
  const hosts = new Set(settings.hosts.map((host) => host.toLowerCase()));
  const origins = new Set(settings.origins.map((origin) => origin.toLowerCase()));
  const addresses = (): readonly Address[] =>
    typeof settings.listen === 'function' ? settings.listen() : settings.listen;
  return {
    hostAllowed: (host) => host !== undefined && hostAllowed(host.toLowerCase(), hosts, addresses()),
    originAllowed: (origin, host) =>
      origin === undefined ||
      origins.has(origin.toLowerCase()) ||
      isSame(origin.toLowerCase(), host?.toLowerCase()) ||
      isOwn(origin.toLowerCase(), addresses()),
  };
}

function hostAllowed(host: string, hosts: ReadonlySet<string>, addresses: readonly Address[]): boolean {
  const name = nameOf(host);
  if (name === undefined) return false;
  if (hosts.has(host) || hosts.has(name)) return true;
  return isLoopback(name) && addresses.some((at) => at.kind === 'socket' || isLoopback(at.host));
}

/** `name`, `name:port`, `[v6]:port`; anything else is no host. */
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?$/;

function nameOf(host: string): string | undefined {
  return HOST.exec(host)?.[1];
}

/** 127.0.0.0/8, ::1 and their name (RFC 6761 §6.3), with or without brackets. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(?:\.[0-9]{1,3}){3}$/.test(host);
}

/** A page of the very host and port that is asked, also through a tunnel with another port. Rebinding is stopped by the host's own rule. */
function isSame(origin: string, host: string | undefined): boolean {
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}

/** A page that the gateway itself serves on loopback: same scheme, same port. */
function isOwn(origin: string, addresses: readonly Address[]): boolean {
  const parts = /^(https?):\/\/(.+?)(?::([0-9]{1,5}))?$/.exec(origin);
  if (parts === null || !isLoopback(parts[2]!)) return false;
  const tls = parts[1] === 'https';
  const port = Number(parts[3] ?? (tls ? 443 : 80));
  return addresses.some((at) => at.kind === 'tcp' && isLoopback(at.host) && at.tls === tls && at.port === port);
}
