import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** Suite, and the sentence that its part breaks. */
const BROKEN: readonly (readonly [suite: string, sentence: RegExp])[] = [
  ['identity: knows everybody', /^a caller without any proof/],
  ['identity: knows everybody', /^a wrong proof is rejected/],
  ['identity: leaves a wrong proof to the next', /^a wrong proof is rejected/],
  ['identity: puts the proof into the key', /^a right proof gives a whole principal/],
  ['identity: repeats the proof in its refusal', /^a refusal repeats nothing/],
  ['identity: reads the body', /^the body is never read/],
  ['policy: permits everybody', /^nothing is permitted to a principal/],
  ['policy: names no rule', /^a permit and a forbid name/],
  ['policy: moves its epoch when asked', /^the epoch is a number/],
  ['policy: changes its mind', /^the same question has the same answer/],
  ['policy: releases what it knows nothing of', /^nothing is permitted to a principal/],
  ['limits: gives back as often as it is called', /^reading: what is given back twice/],
  ['limits: never gives back', /^reading: a refusal takes nothing/],
  ['limits: shares places between principals', /^reading: a principal at its bound/],
  ['inspection: finds nothing', /^what it looks for is found/],
  ['inspection: shows what it found', /^findings and refusals never hold/],
  ['inspection: refuses everything', /^a harmless message is not refused/],
  ['inspection: changes the message', /^the same message has the same answer/],
  ['inspection: throws at odd messages', /^a hostile message is answered/],
  ['redaction: passes orders over', /^an order that the part cannot carry out/],
  ['redaction: leaves a copy', /^what is ordered away is gone/],
  ['redaction: edits what is not there', /^without an order and without findings/],
  ['credentials: names itself after the secret', /^the id of a grant/],
  ['credentials: forgets to list a secret', /^every secret is listed/],
  ['credentials: breaks out of a header', /^names and values of headers/],
  ['audit: swallows what it cannot keep', /^what cannot be kept is refused/],
  ['audit: swallows what it cannot keep', /^a restart closes open attempts/],
  ['audit: keeps later', /^a record can be read as soon as it is kept/],
  ['risk: knows no bounds', /^every exchange gets a number/],
  ['risk: closes what it scores', /^scoring changes nothing/],
];

describe('contract suites', () => {
  let failed: ReadonlyMap<string, readonly string[]>;
  before(() => {
    failed = failures(fileURLToPath(new URL('fixtures/broken-parts.ts', import.meta.url)));
  });

  for (const [suite, sentence] of BROKEN) {
    test(`a part fails that breaks its contract: ${suite}, ${sentence.source.slice(1)}`, () => {
      assert.ok(
        failed.get(suite)?.some((name) => sentence.test(name)),
        `failed: ${failed.get(suite)?.join(' | ')}`,
      );
    });
  }
});

/** Names of failed tests by the suite around them: TAP indents the tests, and their suite follows. */
function failures(file: string): Map<string, string[]> {
  // Within a test runner Node.js would skip the run.
  const env = { ...process.env };
  delete env['NODE_TEST_CONTEXT'];
  const { stdout } = spawnSync(process.execPath, ['--test-reporter=tap', file], { env, encoding: 'utf8' });
  const bySuite = new Map<string, string[]>();
  const pending: string[] = [];
  for (const [, indent, name = ''] of stdout.matchAll(/^( *)not ok \d+ - (.*)$/gm)) {
    if (indent) pending.push(name);
    else bySuite.set(name, pending.splice(0));
  }
  return bySuite;
}
