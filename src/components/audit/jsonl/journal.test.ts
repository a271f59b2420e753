import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { sampleDeps } from '../../samples.ts';
import { Journal } from './journal.ts';

type Done = (error: Error | null) => void;

/** A journal whose syncs end when the test says so. */
async function journaled(run: (journal: Journal, syncs: Done[], file: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-journal-'));
  const file = join(folder, 'audit.jsonl');
  const syncs: Done[] = [];
  const journal = new Journal(file, sampleDeps(folder).log, 0, (_fd, done) => syncs.push(done));
  try {
    await run(journal, syncs, file);
  } finally {
    const closed = journal.close();
    for (const done of syncs) done(null);
    await closed;
    rmSync(folder, { recursive: true });
  }
}

/** Lets everything run that is ready to run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const settled = async (promise: Promise<void>): Promise<boolean> => {
  let done = false;
  const mark = (): void => void (done = true);
  void promise.then(mark, mark);
  await turn();
  return done;
};

describe('journal', () => {
  test('a failed sync rejects whoever waits, and no record is taken any more', () =>
    journaled(async (journal, syncs) => {
      journal.write(Buffer.from('1\n'));
      const first = journal.synced();
      const second = journal.synced();
      syncs.shift()?.(new Error('EIO'));
      await assert.rejects(first, /EIO/);
      await assert.rejects(second, /EIO/);
      assert.throws(() => journal.write(Buffer.from('2\n')), /EIO/);
      assert.equal(journal.health().state, 'dead');
    }));

  test('after close nothing is written, whatever file has the number of the descriptor now', () =>
    journaled(async (journal, syncs) => {
      const closed = journal.close();
      assert.throws(() => journal.write(Buffer.from('late\n')), /closed/);
      syncs.shift()?.(null);
      await closed;
    }));

  test('synced resolves when the sync is over, and not before', () =>
    journaled(async (journal, syncs) => {
      journal.write(Buffer.from('1\n'));
      const synced = journal.synced();
      assert.equal(await settled(synced), false);
      syncs.shift()?.(null);
      assert.equal(await settled(synced), true);
    }));

  test('what is written while a sync runs waits for another sync, which many share', () =>
    journaled(async (journal, syncs) => {
      const first = journal.synced();
      journal.write(Buffer.from('2\n'));
      const later = [journal.synced(), journal.synced(), journal.synced()];
      syncs.shift()?.(null);
      await first;
      await turn();
      assert.equal(syncs.length, 1);
      assert.equal(await settled(later[0]!), false);
      syncs.shift()?.(null);
      await Promise.all(later);
      assert.equal(syncs.length, 0);
    }));

  test('many records of ten milliseconds share one sync', () =>
    journaled(async (journal, syncs, file) => {
      for (let count = 0; count < 50; count += 1) {
        journal.write(Buffer.from(`${count}\n`));
        journal.syncSoon();
      }
      assert.equal(readFileSync(file, 'utf8').split('\n').length, 51);
      while (syncs.length === 0) await turn();
      assert.equal(syncs.length, 1);
      syncs.shift()?.(null);
    }));
});
