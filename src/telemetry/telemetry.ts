/** Metrics and traces as one observer, made once per process; what is not configured costs nothing. */
import type { Config } from '../config/config.ts';
import type { Exchange } from '../gateway/exchange.ts';
import type { Clock, Log, Observer, ServerStatus } from '../gateway/ports.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { observers } from './observers.ts';
import type { TraceContext, Traces } from './traces.ts';

export interface Telemetry {
  readonly observer: Observer;
  readonly metrics: Metrics | undefined;
  /** Trace context for the upstream hop of an exchange. */
  outgoing(exchange: Exchange): TraceContext | undefined;
  close(): Promise<void>;
}

export interface TelemetrySources {
  readonly clock: Clock;
  readonly log: Log;
  readonly gateway: { readonly name: string; readonly version: string };
  readonly sessions: () => number;
  readonly servers: () => readonly ServerStatus[];
}

export async function openTelemetry(config: Config, sources: TelemetrySources): Promise<Telemetry> {
  const metrics = config.metrics ? createMetrics(sources) : undefined;
  const traces = await openTraces(config, sources);
  const observer = observers(
    [metrics, traces].filter((one) => one !== undefined),
    sources.log,
  );
  return {
    observer,
    metrics,
    outgoing: (exchange) => traces?.outgoing(exchange),
    close: async () => {
      metrics?.close();
      await traces?.close();
    },
  };
}

/** OpenTelemetry is loaded only where it is wanted: it is half of the start-up time. */
async function openTraces({ traces, servers }: Config, { gateway }: TelemetrySources): Promise<Traces | undefined> {
  if (!traces) return undefined;
  const { createTraces } = await import('./traces.ts');
  const hosts = new Map(
    servers.map(({ name, transport }) => [
      name,
      transport.kind === 'http' ? new URL(transport.url).hostname : undefined,
    ]),
  );
  return createTraces(traces, { gateway, address: (server) => hosts.get(server) });
}
