import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from './principal.ts';
import { Runs } from './runs.ts';

const principal = { key: 'p' } as Principal;

test('The end of one session forgets neither the labels of another one nor those of the principal.', () => {
  const runs = new Runs();
  const of = [runs.of(principal, 'one'), runs.of(principal, 'two'), runs.of(principal, undefined)] as const;
  for (const run of of) runs.saw(run, 'source:files');
  runs.ended('one');
  assert.deepEqual(
    of.map((run) => runs.labels(run)),
    [[], ['source:files'], ['source:files']],
  );
});
