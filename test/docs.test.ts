import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { blocksOf, guideTests } from './docs.ts';

const guide = new URL('../docs/guide/components.md', import.meta.url);
guideTests(guide);
guideTests(new URL('../docs/guide/agents.md', import.meta.url));
guideTests(new URL('../docs/guide/operations.md', import.meta.url));
guideTests(new URL('../docs/guide/protocol.md', import.meta.url));
guideTests(new URL('../docs/guide/policy.md', import.meta.url));
guideTests(new URL('../docs/guide/limits.md', import.meta.url));
guideTests(new URL('../docs/guide/identity.md', import.meta.url));

test('the parts of the guide are those of the example', () => {
  for (const file of ['my-policy.ts', 'my-inspection.ts']) {
    const shown = blocksOf(readFileSync(guide, 'utf8')).find(({ info }) => info === `ts ${file}`);
    assert.equal(shown?.text, readFileSync(new URL(`../examples/own-parts/${file}`, import.meta.url), 'utf8'));
  }
});
