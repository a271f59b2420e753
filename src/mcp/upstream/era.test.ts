import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../../lib/clock.ts';
import { Backoff } from './backoff.ts';
import { EraMemory, evidenceOf, offersModern } from './era.ts';
import { RefusedFault } from './own.ts';

test('waits double from a tenth of a second to half a minute', () => {
  const backoff = new Backoff(manualClock());
  const waits = Array.from({ length: 11 }, () => backoff.failed());
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
  assert.equal(backoff.left(), 30_000);
});

test('a minute of health is forgiven everything, less is not', () => {
  const clock = manualClock();
  const backoff = new Backoff(clock);
  backoff.failed();
  backoff.began();
  clock.advance(59_999);
  assert.equal(backoff.failed(), 200);
  backoff.began();
  clock.advance(60_000);
  assert.equal(backoff.failed(), 100);
  clock.advance(100);
  assert.equal(backoff.left(), 0);
});

test('a legacy verdict is believed for an hour, a modern one until it is contradicted', () => {
  const clock = manualClock();
  const era = new EraMemory(clock);
  era.learn('legacy', 'sse');
  clock.advance(3_599_999);
  assert.deepEqual(era.known(), { era: 'legacy', kind: 'sse' });
  clock.advance(1);
  assert.equal(era.known(), undefined);
  era.learn('modern');
  clock.advance(1e12);
  assert.equal(era.known()?.era, 'modern');
  era.contradicted();
  assert.equal(era.known(), undefined);
});

test('what a refused discovery says about the era', () => {
  const refused = (code: number, data?: { supported: string[] }) =>
    evidenceOf(
      new RefusedFault('upstream_unavailable', '', 400, data ? { code, message: '', data } : { code, message: '' }),
    );
  assert.equal(evidenceOf(new RefusedFault('credential_unavailable', '', 401)), 'unauthorized');
  assert.equal(evidenceOf(new RefusedFault('upstream_lost', '', 500)), 'legacy');
  for (const code of [-32601, -32600, -32602, -32000, -32001, -32603])
    assert.equal(refused(code), 'legacy', String(code));
  for (const code of [-32020, -32021, -32022]) assert.equal(refused(code), 'modern', String(code));
  assert.equal(refused(-32022, { supported: ['2025-11-25', '2024-11-05'] }), 'legacy');
  assert.equal(refused(-32022, { supported: ['2027-01-01'] }), 'modern');
});

test('only a server that refuses the version that it names is asked again', () => {
  const refused = (code: number, supported?: string[]) =>
    offersModern(
      new RefusedFault('upstream_unavailable', '', 400, {
        code,
        message: '',
        ...(supported && { data: { supported } }),
      }),
    );
  assert.equal(refused(-32022, ['2026-07-28', '2025-11-25']), true);
  assert.equal(refused(-32022, ['2027-01-01']), false);
  assert.equal(refused(-32022), false);
  assert.equal(refused(-32600, ['2026-07-28']), false);
});
