/** Quotas as callers meet them: many at once, over a restart, after a crash, with two replicas; and one who floods. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isAlive } from './background.ts';
import { callTool, type Called } from './call.ts';
import { startGateway, type Gateway } from './gateway.ts';
import { startPostgres } from './postgres.ts';
import { verifies } from './verifies.ts';

const CALLERS = fileURLToPath(new URL('fixtures/callers.ts', import.meta.url));
const WAITING = fileURLToPath(new URL('fixtures/limits/waiting.ts', import.meta.url));

const CLIENTS = 50;

function start(rules: readonly object[], more: object = {}): Promise<Gateway> {
  return startGateway({
    identity: [{ use: 'local' }, { use: CALLERS }],
    servers: { slow: { command: process.execPath, args: [WAITING], isolation: 'shared' } },
    limits: [{ use: 'concurrency' }, { use: 'quotas', rules }],
    log: { level: 'error' },
    ...more,
  });
}

interface Refusal {
  readonly code: number;
  readonly message: string;
  readonly data?: { readonly retryAfterMs?: number };
}

let calls = 0;

/** No two calls alike: loops are another matter. */
function call(gateway: Gateway, as: string, ms = 0): Promise<Called> {
  calls += 1;
  return callTool({ ...gateway, token: `${as}-token` }, 'slow__wait', { ms, text: `${calls}` });
}

/** Fifty clients, each calling until it is refused or had its turns. How many calls were answered. */
async function flooded(gateway: Gateway, turns: number): Promise<number> {
  const client = async (): Promise<number> => {
    for (let turn = 0; turn < turns; turn += 1) {
      const { error } = await call(gateway, 'ada');
      if (error?.code === 429) return turn;
      assert.equal(error, undefined);
    }
    return turns;
  };
  const answered = await Promise.all(Array.from({ length: CLIENTS }, client));
  return answered.reduce((sum, count) => sum + count, 0);
}

describe('a quota', { timeout: 120_000 }, () => {
  const rules = [{ name: 'daily', per: ['person'], quota: '300/day', lease: 20 }];
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sallyport-limits-'));
  });
  after(() => rm(dir, { recursive: true, force: true }));
  const store = (name: string) => ({ store: { use: 'embedded', dir: join(dir, name) } });

  verifies('quotas.bounded', 'is never passed by fifty clients at once, and not lost by a restart', async () => {
    const first = await start(rules, store('restart'));
    const before = await flooded(first, 4);
    await first.close();
    assert.equal(before, 4 * CLIENTS, 'nobody is refused below the quota');
    const second = await start(rules, store('restart'));
    try {
      assert.equal(before + (await flooded(second, 10)), 300);
      const { error } = await call(second, 'ada');
      const { code, message, data } = error as Refusal;
      assert.equal(code, 429);
      assert.match(message, /^A limit is reached; try again in \d+ s\.$/);
      assert.ok(data!.retryAfterMs! > 0 && data!.retryAfterMs! <= 24 * 3_600_000);
      assert.equal((await call(second, 'bob')).error, undefined, 'another person has a quota of his own');
    } finally {
      await second.close();
    }
  });

  verifies('quotas.bounded', 'is not passed after a crash, and loses at most one lease by it', async () => {
    const first = await start(rules, store('crash'));
    const before = await flooded(first, 3);
    process.kill(first.pid, 'SIGKILL');
    while (isAlive(first.pid)) await pause(5);
    await first.close();
    const second = await start(rules, store('crash'));
    try {
      const total = before + (await flooded(second, 10));
      // As many as wait at once may be leased together, so the bound is the larger of the two.
      assert.ok(total <= 300 && total >= 300 - Math.max(20, CLIENTS), `${total} of 300`);
    } finally {
      await second.close();
    }
  });

  verifies('quotas.bounded', 'is one quota for two replicas on one PostgreSQL', async () => {
    const postgres = await startPostgres();
    process.env['LIMITS_TEST_DATABASE'] = postgres.url;
    const shared = { store: { use: 'postgres', url: '${env:LIMITS_TEST_DATABASE}' } };
    const started: Gateway[] = [];
    try {
      started.push(await start(rules, shared), await start(rules, shared));
      const answered = await Promise.all(started.map((gateway) => flooded(gateway, 10)));
      const total = answered.reduce((sum, count) => sum + count, 0);
      assert.ok(total <= 300, `${total} of 300`);
      // What one has leased and the other could not have comes back when the first ends.
      const [first, second] = started;
      await first!.close();
      await pause(1_100);
      assert.equal(total + (await flooded(second!, 10)), 300);
    } finally {
      await Promise.all(started.map((gateway) => gateway.close()));
      await postgres.stop();
    }
  });
});

describe('an agent that goes in circles', { timeout: 60_000 }, () => {
  verifies('quotas.loop', 'is stopped, and told why', async () => {
    const gateway = await start([]);
    try {
      const same = () => callTool({ ...gateway, token: 'ada-token' }, 'slow__wait', { ms: 0, text: 'again' });
      for (let time = 0; time < 30; time += 1) assert.equal((await same()).error, undefined);
      const { code, message } = (await same()).error!;
      assert.deepEqual([code, message.startsWith('The same call was made too often')], [429, true]);
      assert.equal((await call(gateway, 'ada')).error, undefined);
    } finally {
      await gateway.close();
    }
  });
});

describe('an agent that floods', { timeout: 60_000 }, () => {
  test('takes no place that another needs, and hardly any of its time', async (context) => {
    const gateway = await start([{ name: 'room', per: ['server'], concurrency: 8 }]);
    try {
      await call(gateway, 'quiet');
      const alone: number[] = [];
      const beside: number[] = [];
      let refused = 0;
      // In turns, because the machine may be busy with other things.
      for (let turn = 0; turn < 3; turn += 1) {
        alone.push(...(await waits(gateway, 25)));
        const flood = flooding(gateway, 16);
        beside.push(...(await waits(gateway, 25)));
        refused += await flood.stop();
      }
      for (const part of [0.5, 0.9, 0.99]) {
        const [one, other] = [quantile(alone, part).toFixed(1), quantile(beside, part).toFixed(1)];
        context.diagnostic(`a quiet agent's p${part * 100}: ${one} ms alone, ${other} ms beside a flood`);
      }
      assert.ok(refused > 0, 'the flood met its share');
      // The aim is 1.2 at p99, on a machine of its own.
      assert.ok(quantile(beside, 0.5) < 2 * quantile(alone, 0.5) + 100);
    } finally {
      await gateway.close();
    }
  });
});

const WORK_MS = 40;

/** What a quiet agent waits for its calls, one after the other, in milliseconds. None is refused. */
async function waits(gateway: Gateway, times: number): Promise<number[]> {
  const waited: number[] = [];
  for (let time = 0; time < times; time += 1) {
    const begun = performance.now();
    assert.equal((await call(gateway, 'quiet', WORK_MS)).error, undefined);
    waited.push(performance.now() - begun);
  }
  return waited;
}

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)]!;
}

/** So many clients of one agent that call all the time, and come again soon when refused. */
function flooding(gateway: Gateway, clients: number): { stop(): Promise<number> } {
  const over = new AbortController();
  let refused = 0;
  const client = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const { error } = await call(gateway, 'noisy', WORK_MS);
      if (error) {
        refused += 1;
        await pause(100);
      }
    }
  };
  const all = Promise.all(Array.from({ length: clients }, client));
  return {
    stop: async () => {
      over.abort();
      await all;
      return refused;
    },
  };
}
