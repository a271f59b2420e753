import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../lib/clock.ts';
import { embeddedAsks, MOST_ASKS } from './asks.ts';
import type { Message } from './exchange.ts';

function closing(count: number): Message {
  const asks = Array.from({ length: count }, (_, at) => [`ask-${at}`, { method: 'elicitation/create', params: {} }]);
  const value = { result: { resultType: 'input_required', inputRequests: Object.fromEntries(asks) } };
  const doc = { bytes: Buffer.alloc(0), value, span: () => undefined, raw: () => undefined };
  return { kind: 'closing', method: 'tools/call', doc, payload: 'result' };
}

test('A result that asks more things at once than people answer is refused whole.', () => {
  const wrong = embeddedAsks(closing(MOST_ASKS + 1), systemClock);
  assert.equal(wrong, 'inputRequests asks 33 things at once, and at most 32 are passed on');
});

test('A result may ask as many things as are passed on.', () => {
  assert.equal(embeddedAsks(closing(MOST_ASKS), systemClock).length, MOST_ASKS);
});
