import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleDeps, sampleExchange } from '../../samples.ts';
import { riskSuite } from '../risk.suite.ts';
import { constant } from './constant.ts';

riskSuite('constant', async () => ({ part: await constant.create({ score: 40 }, sampleDeps('unused')) }));

test('risk constant: a score below 0, above 100 or that is no number is a fault of the configuration', () => {
  for (const score of [-1, 100.5, Number.NaN, Infinity, '7']) {
    assert.equal(constant.config.safeParse({ score }).success, false, String(score));
  }
});

test('risk constant: the configured number is given, 0 where none is', async () => {
  for (const [given, expected] of [
    [{ score: 100 }, 100],
    [{}, 0],
  ] as const) {
    const part = await constant.create(constant.config.parse(given), sampleDeps('unused'));
    assert.equal(part.score(sampleExchange()), expected);
  }
});
