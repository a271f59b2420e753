import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sampleArrival, sampleDeps, sampleExchange, samplePrincipal } from '../../samples.ts';
import { limitsSuite } from '../limits.suite.ts';
import { concurrency } from './concurrency.ts';

async function begun(given: object = {}) {
  return concurrency.create(concurrency.config.parse(given), sampleDeps('unused'));
}

limitsSuite('concurrency', async () => ({
  part: await begun({ perPrincipal: 3, total: 100 }),
  bound: { reading: 3, opening: 3 },
}));

describe('concurrency', () => {
  const ada = samplePrincipal('ada');
  const work = sampleExchange({ principal: ada });
  const listen = sampleExchange({ principal: ada, deadline: Infinity });

  test('many principals together are refused past the total', async () => {
    const part = await begun({ perPrincipal: 3, total: 4 });
    const taken = ['a', 'b', 'c', 'd'].map((name) => part.reading(samplePrincipal(name), sampleArrival()));
    assert.ok(taken.every(({ allowed }) => allowed));
    assert.deepEqual(part.reading(ada, sampleArrival()), {
      allowed: false,
      limit: '4 at once for all',
      retryAfter: 1000,
    });
  });

  test('a place of the total is given back as well', async () => {
    const part = await begun({ perPrincipal: 1, total: 1 });
    for (let again = 0; again < 3; again += 1) {
      const allowance = await part.opening(sampleExchange({ principal: samplePrincipal(`caller ${again}`) }));
      assert.ok(allowance.allowed);
      allowance.done?.();
    }
  });

  test('streams that listen have an end, and take no place of work', async () => {
    const part = await begun({ perPrincipal: 2 });
    for (const allowed of [true, true, false]) assert.equal((await part.opening(listen)).allowed, allowed);
    for (const allowed of [true, true, false]) assert.equal((await part.opening(work)).allowed, allowed);
  });

  test('bodies being read take no place of open requests', async () => {
    const part = await begun({ perPrincipal: 1 });
    assert.equal(part.reading(ada, sampleArrival()).allowed, true);
    assert.equal((await part.opening(work)).allowed, true);
  });

  test('a bound below one is a fault of the configuration', () => {
    for (const given of [{ perPrincipal: 0 }, { total: -1 }, { perPrincipal: 1.5 }, { perprincipal: 1 }]) {
      assert.equal(concurrency.config.safeParse(given).success, false);
    }
  });
});
