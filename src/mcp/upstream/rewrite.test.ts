import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '../../../test/fixtures/upstream/kit.ts';
import type { JsonObject } from '../../gateway/document.ts';
import type { Era, Exchange } from '../../gateway/exchange.ts';
import { doc } from '../../../test/fixtures/upstream/kit.ts';
import { outgoing } from './rewrite.ts';

const ANSWERED = '{"name":"t","arguments":{},"inputResponses":{"a":{"n":12345678901234567890}},"requestState":"s"}';

function sent(from: Era, to: Era, more: Partial<Exchange> = {}): string {
  const text = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${ANSWERED}}`;
  const opening = { kind: 'opening', method: 'tools/call', doc: doc(text), payload: 'params' } as const;
  return outgoing(call('s', 't', {}, { era: from, opening, ...more }), '7', to, { name: 'g' }).toString();
}

test('a server of the other era is not sent answers that only the gateway asked for, nor a state that it never gave', () => {
  for (const [from, to] of [
    ['modern', 'legacy'],
    ['legacy', 'modern'],
  ] as const) {
    assert.doesNotMatch(sent(from, to), /inputResponses|requestState/);
  }
});

test('answers and state reach a modern server byte for byte: from its agent, and in a round of the gateway', () => {
  const parent = call('s', 't', {}, { era: 'legacy' });
  for (const text of [sent('modern', 'modern'), sent('legacy', 'modern', { parent })]) {
    assert.ok(text.includes('"inputResponses":{"a":{"n":12345678901234567890}},"requestState":"s"'), text);
  }
});

test('what a modern agent says of itself in `_meta` reaches a modern server byte for byte, what it says of another hop does not', () => {
  const P = 'io.modelcontextprotocol/';
  const said = `"${P}protocolVersion": "2026-07-28", "${P}clientCapabilities": {"x":12345678901234567890}`;
  const meta = `{${said}, "${P}clientInfo": {"name":"other"}, "${P}unknown": 1, "vendor": 1.0}`;
  const text = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","_meta":${meta}}}`;
  const opening = { kind: 'opening', method: 'tools/call', doc: doc(text), payload: 'params' } as const;
  const { params } = opening.doc.value as { params: { _meta: Record<string, JsonObject> } };
  const caps = params._meta[`${P}clientCapabilities`]!;
  const clientInfo = { name: 'agent' };
  const sends = outgoing(call('s', 't', {}, { era: 'modern', opening, caps, clientInfo }), '7', 'modern', {
    name: 'g',
  }).toString();
  assert.ok(sends.includes(`{${said}, "${P}clientInfo": {"name":"agent"}, "vendor": 1.0}`), sends);
});
