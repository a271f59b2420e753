import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cells, isExpected, nameOf, runCell } from './run.ts';

const years = new Set(['2026-07-28', '2025-11-25']);
const throughGateway = cells.filter(({ revision, flavour, direct }) => flavour && !direct && years.has(revision));

describe(
  'the gateway earns full marks in front of a server of either era, but for the baseline',
  { concurrency: 2 },
  () => {
    for (const cell of throughGateway) {
      test(nameOf(cell), async () => {
        const { outcomes, passed, expected, total, surprises } = await runCell(cell);
        const failed = outcomes.filter((one) => one.required && one.failedChecks.length > 0 && !isExpected(one, cell));
        assert.deepEqual(failed, []);
        assert.equal(passed + expected, total);
        assert.deepEqual(surprises, [], 'what passes is not expected to fail any more: take it out of the baseline');
      });
    }
  },
);
