import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchange, keptLog, LIMITS, Remembering } from '../../../test/fixtures/upstream/kit.ts';
import { LegacyConnection } from './legacy.ts';
import { Switchboard } from './switchboard.ts';

function connection(subscribed: number): { legacy: LegacyConnection; sent: string[] } {
  const sent: string[] = [];
  const board = new Switchboard(LIMITS, {
    news: () => undefined,
    standing: () => undefined,
    reply: () => undefined,
    log: keptLog(),
    server: 's',
  });
  const wire = {
    send: (json: Buffer) => void sent.push(json.toString()),
    notify: () => Promise.resolve(),
    begin: () => undefined,
    end: () => Promise.resolve(),
  };
  const memory = { level: undefined, subscribed: new Set(Array.from({ length: subscribed }, (_, at) => `a://${at}`)) };
  const deps = {
    hop: { caps: {}, clientInfo: undefined },
    gateway: { name: 'g', version: '0' },
    lease: { grant: undefined },
  };
  const legacy = new LegacyConnection(board, wire, { ...deps, memory, trace: () => undefined, patience: 1000 });
  return { legacy, sent };
}

const subscribe = (uri: string) =>
  exchange({ server: 's', method: 'resources/subscribe', params: JSON.stringify({ uri }), more: { era: 'legacy' } });

test('A subscription beyond 4096 on one connection is refused, and the server is not told.', async () => {
  const { legacy, sent } = connection(4096);
  const outlet = new Remembering();
  legacy.send(subscribe('a://one-more'), outlet, undefined);
  assert.match(await outlet.failed.promise, /^limit_reached: 4096 resources/);
  assert.deepEqual(sent, []);
});

test('What is subscribed to already may be subscribed to again.', () => {
  const { legacy, sent } = connection(4096);
  legacy.send(subscribe('a://7'), new Remembering(), undefined);
  assert.equal(sent.length, 1);
});
