/** From the checked tree to the configuration that the gateway is built from. */
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import type { AnyComponent } from '../gateway/component.ts';
import type { ChosenPart, Config, Listen, ServerConfig, TlsConfig } from './config.ts';
import { defaultData } from './places.ts';
import type { PartSettings, Written } from './schema.ts';

/** @param base folder of the configuration file: relative paths start there */
export function settle(
  written: Written,
  components: readonly AnyComponent[],
  base: string,
  env: NodeJS.ProcessEnv,
): Omit<Config, 'digest'> {
  const choose = (kind: string) => (settings: PartSettings) => chosen(components, kind, settings);
  const { hosts, origins, url, plain, mode, tenant, log, traces, message, agents, runs } = written;
  return {
    hosts,
    origins,
    url,
    plain,
    mode,
    tenant,
    log,
    traces,
    message,
    agents,
    admin: written.admin && { listen: settleListen(written.admin.listen, base) },
    runs,
    listen: [written.listen].flat().map((listen) => settleListen(listen, base)),
    tls: written.tls && settleTls(written.tls),
    base,
    data: written.data === undefined ? defaultData(env) : resolve(base, homed(written.data)),
    servers: Object.entries(written.servers).map(([name, server]) =>
      settleServer(name, server, base, choose('credentials')),
    ),
    identity: written.identity.map(choose('identity')),
    policy: choose('policy')(written.policy),
    limits: written.limits.map(choose('limits')),
    inspect: written.inspect.map(choose('inspection')),
    redact: written.redact.map(choose('redaction')),
    audit: choose('audit')(written.audit),
    risk: written.risk && choose('risk')(written.risk),
    store: written.store && choose('store')(written.store),
    metrics: settleMetrics(written.metrics, base),
  };
}

function chosen(components: readonly AnyComponent[], kind: string, { use, ...config }: PartSettings): ChosenPart {
  const component = components.find((one) => one.kind === kind && one.use === use);
  if (component === undefined) throw new Error(`no part ${kind}/${use} after the check`);
  return { component, config };
}

function homed(path: string): string {
  return path === '~' || path.startsWith('~/') ? homedir() + path.slice(1) : path;
}

function settleListen(listen: Listen, base: string): Listen {
  return listen.kind === 'unix' ? { kind: 'unix', path: resolve(base, homed(listen.path)) } : listen;
}

function settleTls({ clientCa, ...tls }: NonNullable<Written['tls']>): TlsConfig {
  return { ...tls, clientCa };
}

function settleMetrics(metrics: Written['metrics'], base: string): Config['metrics'] {
  if (typeof metrics === 'boolean') return metrics ? { listen: undefined } : undefined;
  return { listen: settleListen(metrics.listen, base) };
}

type WrittenServer = Written['servers'][string];

function settleServer(
  name: string,
  server: WrittenServer,
  base: string,
  choose: (settings: PartSettings) => ChosenPart,
): ServerConfig {
  const { isolation, era, deadline, idle, concurrency } = server;
  const credentials = server.credentials && choose(server.credentials);
  return { name, transport: settleTransport(server, base), isolation, era, deadline, idle, concurrency, credentials };
}

function settleTransport(server: WrittenServer, base: string): ServerConfig['transport'] {
  if ('url' in server) {
    const { url, transport, headers, tls } = server;
    return { kind: 'http', url, legacySse: transport === 'sse', headers, tls: tls && present(tls) };
  }
  const { command, args, env } = server;
  return { kind: 'stdio', command, args, cwd: resolve(base, homed(server.cwd ?? '.')), env };
}

/** The same without members that are undefined: `exactOptionalPropertyTypes` tells the two apart. */
function present<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as ReturnType<
    typeof present<T>
  >;
}
