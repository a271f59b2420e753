import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cells, nameOf, runCell } from './run.ts';

const sameEra = cells.filter(
  ({ revision, flavour, direct }) => !direct && (revision === '2026-07-28') === (flavour.era === 'modern'),
);

describe('the gateway earns full marks in front of a server of the same era', { concurrency: 2 }, () => {
  for (const cell of sameEra) {
    test(`${cell.revision} over ${cell.flavour.era} ${cell.flavour.transport}: ${nameOf(cell)}`, async () => {
      const { outcomes, passed, total } = await runCell(cell);
      const failed = outcomes.filter((outcome) => outcome.required && outcome.failedChecks.length > 0);
      assert.deepEqual(failed, []);
      assert.equal(passed, total);
    });
  }
});
