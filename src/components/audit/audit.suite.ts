/** What every audit part promises (law 5). `auditSuite('mine', make)` in a test file registers the tests. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { sampleAttempt, sampleOutcome } from '../samples.ts';
import { lifeTests, using, type Made, type Make } from '../using.ts';
import { NOTICED_WITHIN, type Audit } from './audit.ts';
import { auditRecord, type AuditRecord } from './record.ts';

export interface AuditCase extends Made<Audit> {
  /** Everything that is kept, oldest first, read from where it is kept and not from the part's memory. */
  readonly read: () => readonly AuditRecord[] | Promise<readonly AuditRecord[]>;
  /** Another part on the same place, while the first is not closed: what a restart after a crash finds. */
  readonly restart: () => Audit | Promise<Audit>;
  /** Takes the place away: folder removed, disk gone. */
  readonly lose: () => void | Promise<void>;
}

const MANY = Array.from({ length: 100 }, (_, index) => `exchange-${index}`);

export function auditSuite(name: string, make: Make<AuditCase>): void {
  describe(`audit: ${name}`, () => {
    test(`what cannot be kept is refused with an exception at the latest ${NOTICED_WITHIN} ms after its place is gone, so that the call is not made`, () =>
      using(make, async ({ part, lose }) => {
        await part.keep(sampleAttempt('before'));
        await lose();
        await passed(NOTICED_WITHIN);
        await assert.rejects(async () => part.keep(sampleAttempt('after')));
      }));

    test('after close nothing is taken any more', () =>
      using(make, async ({ restart }) => {
        const other = await restart();
        await other.close?.();
        await assert.rejects(async () => other.keep(sampleAttempt('late')));
      }));

    test('a record can be read as soon as it is kept, whole and valid', () =>
      using(make, async ({ part, read }) => {
        const record = sampleAttempt('one', { path: '/ä/"quoted"/\u2028', big: 'x'.repeat(100_000) });
        await part.keep(record);
        const kept = (await read()).find(({ id }) => id === record.id);
        assert.deepEqual(kept && auditRecord.parse(kept), record);
      }));

    test('records that are kept at the same time are all there, each once, in their order', () =>
      using(make, async ({ part, read }) => {
        await Promise.all(MANY.map(async (exchange) => part.keep(sampleAttempt(exchange))));
        const attempts = (await read()).filter(({ type }) => type === 'attempt');
        assert.deepEqual(exchangesOf(attempts), MANY);
      }));

    test('a restart closes open attempts as unknown, and only those', () =>
      using(make, async ({ part, read, restart }) => {
        await part.keep(sampleAttempt('open'));
        await part.keep(sampleAttempt('done'));
        await part.keep(sampleOutcome('done'));
        await (await restart()).close?.();
        const unknown = unknownOf(await read());
        assert.deepEqual(exchangesOf(unknown), ['open']);
        for (const record of unknown) auditRecord.parse(record);
      }));

    test('the next restart closes nothing a second time', () =>
      using(make, async ({ part, read, restart }) => {
        await part.keep(sampleAttempt('open'));
        for (let start = 0; start < 2; start += 1) await (await restart()).close?.();
        assert.equal(unknownOf(await read()).length, 1);
      }));

    test('what was kept is still there after a close', () =>
      using(make, async ({ read, restart }) => {
        const other = await restart();
        await other.keep(sampleAttempt('kept'));
        await other.close?.();
        assert.ok(exchangesOf(await read()).includes('kept'));
      }));

    lifeTests(make);
  });
}

/** A timer may be early by what the turn took that started it. */
async function passed(milliseconds: number): Promise<void> {
  const start = performance.now();
  while (performance.now() - start <= milliseconds) await setTimeout(1);
}

function unknownOf(records: readonly AuditRecord[]): AuditRecord[] {
  return records.filter((record) => record.type === 'outcome' && record.status === 'unknown');
}

function exchangesOf(records: readonly AuditRecord[]): (string | undefined)[] {
  return records.map((record) => ('exchange' in record ? record.exchange : undefined));
}
