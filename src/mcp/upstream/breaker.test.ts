import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Breaker } from './breaker.ts';

function scene(): { breaker: Breaker; pass: (milliseconds: number) => void; fail: (times: number) => void } {
  const time = { now: 0 };
  const breaker = new Breaker({ now: () => 1_000_000 + time.now, monotonic: () => time.now });
  return {
    breaker,
    pass: (milliseconds) => void (time.now += milliseconds),
    fail: (times) => {
      for (let count = 0; count < times; count += 1) breaker.failed();
    },
  };
}

test('Calls are refused after five failures in a row, with the time of the next try.', () => {
  const { breaker, fail } = scene();
  fail(5);
  assert.equal(breaker.enter(), 1000);
  assert.equal(breaker.state, 'open');
  assert.equal(breaker.retryAt, 1_001_000);
});

test('One success between failures starts the count again.', () => {
  const { breaker, fail } = scene();
  fail(4);
  breaker.succeeded();
  fail(4);
  assert.equal(breaker.enter(), 0);
  assert.equal(breaker.retryAt, undefined);
});

test('When the time is over one call tries, and the others are still refused.', () => {
  const { breaker, fail, pass } = scene();
  fail(5);
  pass(1000);
  assert.equal(breaker.state, 'half-open');
  assert.equal(breaker.enter(), 0);
  assert.equal(breaker.enter(), 5000);
  breaker.succeeded();
  assert.equal(breaker.enter(), 0);
  assert.equal(breaker.state, 'closed');
});

test('Every try that fails doubles the wait, up to half a minute.', () => {
  const { breaker, fail, pass } = scene();
  fail(5);
  for (const wait of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
    assert.equal(breaker.enter(), wait);
    pass(wait);
    assert.equal(breaker.enter(), 0);
    breaker.failed();
  }
});

test('Calls that were under way when it opened do not lengthen the wait.', () => {
  const { breaker, fail } = scene();
  fail(100);
  assert.equal(breaker.enter(), 1000);
});

test('A try that never reports does not keep the server closed.', () => {
  const { breaker, fail, pass } = scene();
  fail(5);
  pass(1000);
  assert.equal(breaker.enter(), 0);
  pass(5000);
  assert.equal(breaker.enter(), 0);
});
