import assert from 'node:assert/strict';
import { test } from 'node:test';
import { doc, exchange } from '../../../test/fixtures/upstream/kit.ts';
import type { Message } from '../../gateway/exchange.ts';
import type { Outlet } from '../../gateway/ports.ts';
import { Attached } from './attached.ts';
import { NOTHING } from './connection.ts';

function news(method: string, params: object): Message {
  return { kind: 'event', method, doc: doc(JSON.stringify({ jsonrpc: '2.0', method, params })), payload: 'params' };
}

/** A listener whose agent takes a message only when it is told to. */
function slow(): { attached: Attached; sent: Message[]; take: () => Promise<void> } {
  const sent: Message[] = [];
  const taken: (() => void)[] = [];
  const outlet: Outlet = {
    event: (message) => {
      sent.push(message);
      return new Promise((resolve) => taken.push(resolve));
    },
    ask: () => undefined,
    close: () => undefined,
    fail: () => undefined,
  };
  const home = { relisten: () => Promise.resolve(NOTHING), detach: () => undefined };
  const take = async (): Promise<void> => {
    taken.shift()?.();
    await new Promise(setImmediate);
  };
  return { attached: new Attached(home, exchange({ server: 's' }), NOTHING, outlet), sent, take };
}

test('Logs beyond 256 are left out while the agent does not read, and pass again when it does.', async () => {
  const { attached, sent, take } = slow();
  const log = news('notifications/message', { level: 'info', data: 'x' });
  const heard = Array.from({ length: 300 }, () => attached.hear(log, undefined));
  assert.equal(heard.filter(Boolean).length, 256);
  await take();
  assert.equal(attached.hear(log, undefined), true);
  assert.equal(sent.length, 257);
});

test('However often one list changes while the agent does not read, it is told twice: what waits, and the latest.', async () => {
  const { attached, sent, take } = slow();
  for (let count = 0; count < 10_000; count += 1)
    attached.hear(news('notifications/tools/list_changed', { count }), 'tools');
  assert.equal(sent.length, 1);
  await take();
  assert.equal(sent.length, 2);
  assert.match(sent[1]!.doc.bytes.toString(), /9999/);
  await take();
  assert.equal(sent.length, 2);
});

test('News about one thing does not wait for news about another.', () => {
  const { attached, sent } = slow();
  for (const uri of ['a://1', 'a://2']) attached.hear(news('notifications/resources/updated', { uri }), uri);
  assert.equal(sent.length, 2);
});
