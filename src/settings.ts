/** From the configuration to what the core and the listeners read. */
import type { Config, Listen } from './config/config.ts';
import type { Loaded } from './config/load.ts';
import { places } from './config/places.ts';
import type { Target } from './gateway/exchange.ts';
import type { CoreSettings } from './gateway/house.ts';
import { headRules, type Address, type HeadRules } from './mcp/downstream/head-rules.ts';
import type { Bind } from './mcp/downstream/listen.ts';

/** A request that no server's deadline bounds: lists, `initialize`, discovery. */
const DEADLINE = 60_000;
/** How long a person or a model may take to answer an ask. */
const ASK_DEADLINE = 10 * 60_000;

export function rulesOf({ hosts, origins, url }: Config, addresses: () => readonly Address[]): HeadRules {
  const own = url === undefined ? [] : [new URL(url).host];
  return headRules({ hosts: [...hosts, ...own], origins, listen: addresses });
}

export function coreSettings({ config, digest }: Loaded, rules: HeadRules): CoreSettings {
  const deadlines = new Map(config.servers.map(({ name, deadline }) => [name, deadline]));
  return {
    mode: config.mode,
    messageBytes: config.message.size,
    deadline: DEADLINE,
    askDeadline: ASK_DEADLINE,
    serverDeadline: (server) => deadlines.get(server) ?? DEADLINE,
    runs: config.runs,
    configDigest: digest,
    hostAllowed: (host) => rules.hostAllowed(host),
    originAllowed: (origin, host) => rules.originAllowed(origin, host),
    admitted: (target) => admitted(target, deadlines),
  };
}

/** Approved is what the configuration lists; a server that was taken out meanwhile is not reached through an old session. */
function admitted(target: Target, servers: ReadonlyMap<string, unknown>): boolean {
  switch (target.of) {
    case 'gateway':
      return true;
    case 'servers':
      return target.servers.every((server) => servers.has(server));
    case 'definition':
    case 'task':
      return servers.has(target.server);
    case 'exchange':
      return admitted(target.exchange.target, servers);
  }
}

export function bindsOf({ listen, tls, plain }: Config): Bind[] {
  return listen.map((one) => bindOf(one, tls, plain));
}

function bindOf(listen: Listen, tls: Config['tls'], plain: boolean): Bind {
  switch (listen.kind) {
    case 'unix':
      return { kind: 'socket', path: listen.path };
    case 'tcp':
      return { kind: 'tcp', host: listen.host, port: listen.port, plain, ...(tls ? { tls: tlsOf(tls) } : {}) };
  }
}

export function tlsOf({ cert, key, clientCa, clientCertRequired, minVersion }: NonNullable<Config['tls']>) {
  return { cert, key, minVersion, requireClient: clientCertRequired, ...(clientCa === undefined ? {} : { clientCa }) };
}

/** The owner's own door: a Unix socket of mode 0600 in the data folder. */
export function ownBind({ data }: Config): Bind {
  return { kind: 'socket', path: places(data).socket };
}

/** Where the admin API has an address besides the owner's socket. */
export function adminBind({ admin, tls, plain }: Config): Bind | undefined {
  return admin && bindOf(admin.listen, tls, plain);
}

/** Where metrics have an address of their own. */
export function metricsBind({ metrics }: Config): Bind | undefined {
  return metrics?.listen && bindOf(metrics.listen, undefined, false);
}
