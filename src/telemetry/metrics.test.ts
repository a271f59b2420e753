import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { ServerStatus } from '../gateway/ports.ts';
import { exampleExchange } from '../../test/fixtures/exchange.ts';
import { createMetrics } from './metrics.ts';
import { observers } from './observers.ts';

const FILES: ServerStatus = {
  server: 'files',
  state: 'ready',
  era: 'modern',
  version: '2026-07-28',
  connections: 2,
  inFlight: 0,
  restarts: 3,
  lastError: undefined,
  lastSuccess: undefined,
};

function measured(t: TestContext) {
  let now = 0;
  const metrics = createMetrics({ clock: { monotonic: () => now }, sessions: () => 4, servers: () => [FILES] });
  t.after(() => metrics.close());
  const has = async (line: string) => {
    const text = await metrics.text();
    assert.ok(text.split('\n').includes(line), `no line ${line} in\n${text}`);
  };
  return { metrics, has, wait: (milliseconds: number) => (now += milliseconds) };
}

test('what a stranger names never makes a series of its own', async (t) => {
  const { metrics, has } = measured(t);
  const row = { ...exampleExchange().row, method: 'evil/1' };
  const target = { of: 'task', server: 'evil-2', task: 'evil-3' } as const;
  metrics.closed(exampleExchange({ row, target }), 'error', undefined);
  metrics.kept('evil-4');
  await has('sallyport_exchanges_total{method="other",server="other",status="error",reason="none"} 1');
  assert.ok(!(await metrics.text()).includes('evil'));
});

test('a refusal is counted by direction, stage and reason', async (t) => {
  const { metrics, has } = measured(t);
  metrics.refused('inward', 'authenticate', 'unauthenticated', undefined);
  await has('sallyport_refusals_total{direction="inward",stage="authenticate",reason="unauthenticated"} 1');
});

test('a failure of the server is counted as one', async (t) => {
  const { metrics, has } = measured(t);
  metrics.closed(exampleExchange(), 'failed', 'upstream_lost');
  await has('sallyport_upstream_errors_total{server="files",reason="upstream_lost"} 1');
});

test('time that somebody else took is not counted as added by the gateway', async (t) => {
  const { metrics, has, wait } = measured(t);
  const exchange = exampleExchange();
  metrics.opened(exchange);
  wait(1);
  metrics.forwarded?.(exchange);
  wait(500);
  metrics.answered?.(exchange);
  wait(2);
  metrics.closed(exchange, 'result', undefined);
  await has('sallyport_exchange_duration_seconds_sum{method="tools/call"} 0.503');
  await has('sallyport_added_duration_seconds_sum{method="tools/call"} 0.003');
});

test('open exchanges are counted once, however often their end is told', async (t) => {
  const { metrics, has } = measured(t);
  const [one, other] = [exampleExchange(), exampleExchange()];
  metrics.opened(one);
  metrics.opened(other);
  metrics.closed(one, 'result', undefined);
  metrics.closed(one, 'result', undefined);
  await has('sallyport_open_exchanges 1');
});

test('sessions, servers and records are there to be scraped', async (t) => {
  const { metrics, has } = measured(t);
  metrics.kept('attempt');
  await has('sallyport_sessions 4');
  await has('sallyport_upstream_restarts{server="files"} 3');
  await has('sallyport_upstream_ready{server="files"} 1');
  await has('sallyport_records_kept_total{type="attempt"} 1');
});

test('an observer that throws does not keep the others from hearing', () => {
  const heard: string[] = [];
  const broken = {
    opened() {
      throw new Error('boom');
    },
    refused() {},
    closed() {},
  };
  const note = () => heard.push('log');
  const log = { debug: note, info: note, warn: note, error: note };
  const other = { ...broken, opened: () => heard.push('other') };
  observers([broken, { ...other, opened: () => void other.opened() }], log).opened(exampleExchange());
  assert.deepEqual(heard, ['log', 'other']);
});
