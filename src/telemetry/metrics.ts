/**
 * Prometheus metrics in a registry of their own. Every label takes its values from a closed list: methods that have a
 * row, servers that are configured, statuses and reasons of the gateway. What a stranger sends never makes a new series.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Exchange } from '../gateway/exchange.ts';
import { METHODS } from '../gateway/methods.ts';
import type { Clock, Observer, ServerStatus } from '../gateway/ports.ts';
import { serverMeant } from '../gateway/target.ts';

export interface MetricsSources {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Live legacy sessions. */
  readonly sessions: () => number;
  /** Every configured server. */
  readonly servers: () => readonly ServerStatus[];
}

export interface Metrics extends Observer {
  readonly contentType: string;
  /** The text exposition format. */
  text(): Promise<string>;
  /** A record of this type was kept. */
  kept(type: string): void;
  close(): void;
}

interface Watch {
  readonly start: number;
  sent: number | undefined;
  /** Milliseconds spent waiting for somebody else. */
  elsewhere: number;
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const ADDED_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 1];
const RECORD_TYPES = new Set(['attempt', 'events', 'outcome', 'refusal', 'notice']);
const methods = new Set(METHODS.map(({ method }) => method));

export function createMetrics({ clock, sessions, servers }: MetricsSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const exchanges = new Counter({
    name: 'sallyport_exchanges_total',
    help: 'Exchanges that ended.',
    labelNames: ['method', 'server', 'status', 'reason'],
    registers,
  });
  const refusals = new Counter({
    name: 'sallyport_refusals_total',
    help: 'Messages that did not cross.',
    labelNames: ['direction', 'stage', 'reason'],
    registers,
  });
  const durations = new Histogram({
    name: 'sallyport_exchange_duration_seconds',
    help: 'From the opening to the end of an exchange.',
    labelNames: ['method'],
    buckets: SECONDS,
    registers,
  });
  const added = new Histogram({
    name: 'sallyport_added_duration_seconds',
    help: 'The part of an exchange that the gateway itself took.',
    labelNames: ['method'],
    buckets: ADDED_SECONDS,
    registers,
  });
  const open = new Gauge({ name: 'sallyport_open_exchanges', help: 'Exchanges that are open.', registers });
  const records = new Counter({
    name: 'sallyport_records_kept_total',
    help: 'Audit records that were kept.',
    labelNames: ['type'],
    registers,
  });
  const errors = new Counter({
    name: 'sallyport_upstream_errors_total',
    help: 'Exchanges that failed because of their server.',
    labelNames: ['server', 'reason'],
    registers,
  });
  gauges(registry, sessions, servers);
  const closeDelay = eventLoopDelay(registry);

  const watches = new WeakMap<Exchange, Watch>();
  const known = serverLabel(servers);

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    kept: (type) => records.inc({ type: RECORD_TYPES.has(type) ? type : 'other' }),
    close: closeDelay,
    opened(exchange) {
      watches.set(exchange, { start: clock.monotonic(), sent: undefined, elsewhere: 0 });
      open.inc();
    },
    forwarded(exchange) {
      const watch = watches.get(exchange);
      if (watch) watch.sent ??= clock.monotonic();
    },
    answered(exchange) {
      const watch = watches.get(exchange);
      if (watch) rest(watch, clock.monotonic());
    },
    refused(direction, stage, reason) {
      refusals.inc({ direction, stage, reason });
    },
    closed(exchange, status, reason) {
      const method = methods.has(exchange.row.method) ? exchange.row.method : 'other';
      const server = known(serverMeant(exchange));
      exchanges.inc({ method, server, status, reason: reason ?? 'none' });
      if (reason?.startsWith('upstream_')) errors.inc({ server, reason });
      const watch = watches.get(exchange);
      if (watch === undefined || !watches.delete(exchange)) return;
      open.dec();
      const now = clock.monotonic();
      const waited = watch.sent !== undefined || watch.elsewhere > 0;
      rest(watch, now);
      durations.observe({ method }, (now - watch.start) / 1000);
      if (waited) added.observe({ method }, Math.max(0, now - watch.start - watch.elsewhere) / 1000);
    },
  };
}

/** The label of a server. What is configured is asked only when a name is not known yet: this runs for every exchange. */
function serverLabel(servers: () => readonly ServerStatus[]): (server: string | undefined) => string {
  let names = new Set<string>();
  return (server) => {
    if (server === undefined) return 'none';
    if (!names.has(server)) names = new Set(servers().map((status) => status.server));
    return names.has(server) ? server : 'other';
  };
}

function rest(watch: Watch, now: number): void {
  if (watch.sent !== undefined) watch.elsewhere += now - watch.sent;
  watch.sent = undefined;
}

const BREAKER = { closed: 0, 'half-open': 0.5, open: 1 } as const;

/** What is asked when somebody scrapes. */
function gauges(registry: Registry, sessions: () => number, servers: () => readonly ServerStatus[]): void {
  const perServer = (name: string, help: string, value: (status: ServerStatus) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['server'],
      registers: [registry],
      collect() {
        this.reset();
        for (const status of servers()) this.set({ server: status.server }, value(status));
      },
    });
  const live = new Gauge({
    name: 'sallyport_sessions',
    help: 'Live legacy sessions.',
    registers: [],
    collect() {
      this.set(sessions());
    },
  });
  registry.registerMetric(live);
  perServer('sallyport_upstream_restarts', 'Times that a server was started again.', ({ restarts }) => restarts);
  perServer(
    'sallyport_upstream_connections',
    'Connections or processes of a server.',
    ({ connections }) => connections,
  );
  perServer(
    'sallyport_upstream_breaker_open',
    '1 where calls are refused at once, 0.5 where one finds out whether that is still needed.',
    ({ breaker }) => BREAKER[breaker ?? 'closed'],
  );
  perServer('sallyport_upstream_ready', '1 where a server is ready or idle.', ({ state }) =>
    state === 'ready' || state === 'idle' ? 1 : 0,
  );
}

/** How late timers come: the process is busy with something else. */
function eventLoopDelay(registry: Registry): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const late = new Gauge({
    name: 'sallyport_event_loop_delay_seconds',
    help: 'Delay of the event loop since the last scrape.',
    labelNames: ['quantile'],
    registers: [],
    collect() {
      for (const quantile of [50, 99]) this.set({ quantile: String(quantile / 100) }, delay.percentile(quantile) / 1e9);
      this.set({ quantile: '1' }, delay.max / 1e9);
      delay.reset();
    },
  });
  registry.registerMetric(late);
  return () => delay.disable();
}
