/** What every risk part promises. `riskSuite('mine', make)` in a test file registers the tests. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sampleCall, sampleExchange, samplePrincipal } from '../samples.ts';
import { lifeTests, using, type Made, type Make } from '../using.ts';
import type { Risk } from './risk.ts';

const EXCHANGES = [
  sampleExchange(),
  sampleExchange({ target: { of: 'gateway' } }),
  sampleExchange({ parent: sampleExchange(), principal: samplePrincipal('__proto__') }),
  sampleExchange({ opening: sampleCall('read', { path: 'x'.repeat(100_000) }), clientInfo: { name: '\ud800' } }),
];

export function riskSuite(name: string, make: Make<Made<Risk>>): void {
  describe(`risk: ${name}`, () => {
    test('every exchange gets a number from 0 to 100, at once', () =>
      using(make, ({ part }) => {
        for (const exchange of EXCHANGES) {
          const score = part.score(exchange);
          assert.equal(typeof score, 'number');
          assert.ok(score >= 0 && score <= 100, `${score}`);
        }
      }));

    test('scoring changes nothing of what was decided so far', () =>
      using(make, ({ part }) => {
        for (const exchange of EXCHANGES) {
          const { trail, target, state, epoch } = exchange;
          const before = structuredClone({ trail, target, state, epoch });
          part.score(exchange);
          assert.deepEqual(
            { trail: exchange.trail, target: exchange.target, state: exchange.state, epoch: exchange.epoch },
            before,
          );
        }
      }));

    lifeTests(make);
  });
}
