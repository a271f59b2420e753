import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Part } from '../gateway/component.ts';
import { livez, readyz } from './health.ts';

function ready(parts: Record<string, Part>, draining = false) {
  const named = Object.entries(parts).map(([name, part]) => ({ name, part }));
  return readyz({ parts: () => named, draining: () => draining });
}

test('one control that is not live makes the gateway unready, and is named', () => {
  const { status, body } = ready({
    'identity/local': {},
    'audit/jsonl': { health: () => ({ state: 'dead', detail: 'disk full' }) },
  });
  assert.equal(status, 503);
  assert.deepEqual(body.parts, [
    { part: 'identity/local', state: 'live' },
    { part: 'audit/jsonl', state: 'dead', detail: 'disk full' },
  ]);
});

test('a degraded control is not live either', () => {
  assert.equal(ready({ a: { health: () => ({ state: 'degraded', detail: 'slow' }) } }).status, 503);
});

test('a part whose health throws counts as dead', () => {
  const broken: Part = {
    health() {
      throw new Error('boom');
    },
  };
  assert.deepEqual(ready({ a: broken }).body.parts[0], {
    part: 'a',
    state: 'dead',
    detail: 'its health cannot be asked: boom',
  });
});

test('a gateway that drains is not ready and still alive', () => {
  assert.equal(ready({}, true).status, 503);
  assert.equal(livez().status, 200);
});

test('with every control live the gateway is ready', () => {
  assert.deepEqual(ready({ a: { health: () => ({ state: 'live' }) } }), {
    status: 200,
    body: { ready: true, draining: false, parts: [{ part: 'a', state: 'live' }] },
  });
});
