import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleDeps, sampleExchange, sampleResult } from '../../samples.ts';
import { redactionSuite } from '../redaction.suite.ts';
import { none } from './none.ts';

redactionSuite('none', async () => ({ part: await none.create({}, sampleDeps('unused')) }));

test('redaction none: an order among others is refused, wherever it stands in the list', async () => {
  const part = await none.create({}, sampleDeps('unused'));
  const obligations = [
    { kind: 'notify', whom: 'security' },
    { kind: 'mask', what: 'email' },
  ] as const;
  const redacted = await part.redact(sampleResult({}), sampleExchange(), [], obligations);
  assert.deepEqual(redacted, { ok: false, detail: 'policy orders to mask, and no part for it is configured' });
});
