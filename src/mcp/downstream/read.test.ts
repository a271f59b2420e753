import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LIMITS, exchangeOf, messageOf } from '../../../test/fixtures/agent-edge.ts';
import type { Arrival, Reading } from '../../gateway/ports.ts';
import { reasonText } from '../../gateway/reasons.ts';
import { checkParams, createReader } from './read.ts';

const reader = createReader(LIMITS);
const MEDIA = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const NOW = '2026-07-28';
const META = {
  'io.modelcontextprotocol/protocolVersion': NOW,
  'io.modelcontextprotocol/clientCapabilities': {},
};

type Headers = Record<string, string>;

function arrival(headers: Headers, verb: Arrival['verb'] = 'POST'): Arrival {
  return {
    verb,
    endpoint: { kind: 'joint' },
    header: (name) => headers[name],
    duplicates: [],
    peer: { address: '127.0.0.1', encrypted: false, certificate: undefined },
    announced: undefined,
    at: 0,
    body: () => Promise.resolve('gone'),
  };
}

function read(headers: Headers, body: unknown, verb: Arrival['verb'] = 'POST'): Reading {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return reader.read(arrival({ ...MEDIA, ...headers }, verb), Buffer.from(text));
}

function rpc(method: string, params?: object, id: unknown = 1): object {
  return { jsonrpc: '2.0', id, method, params };
}

function modernHeaders(method: string, name?: string): Headers {
  const headers: Headers = { 'mcp-protocol-version': NOW, 'mcp-method': method };
  if (name !== undefined) headers['mcp-name'] = name;
  return headers;
}

/** Status, code and data that the agent would be told. */
function refusal(reading: Reading): { status: number; code: number; data: unknown } {
  assert.equal(reading.ok, false);
  if (reading.ok) throw new Error('read');
  const { status, code } = reasonText(reading.verdict.reason);
  return { status, code, data: reading.verdict.data };
}

function readable(reading: Reading): Extract<Reading, { ok: true }> {
  if (!reading.ok) assert.fail(`${reading.verdict.reason}: ${reading.verdict.detail ?? reading.verdict.tell ?? ''}`);
  return reading;
}

function codes(reading: Reading): [number, number] {
  const { status, code } = refusal(reading);
  return [status, code];
}

describe('the ladder for modern messages refuses', () => {
  it('a modern body without headers as a mismatch', () => {
    const got = refusal(read({}, rpc('tools/list', { _meta: META })));
    assert.deepEqual([got.status, got.code], [400, -32020]);
    assert.deepEqual(got.data, { mismatch: { name: 'MCP-Protocol-Version', header: '(missing)', body: NOW } });
  });

  it('a modern header without _meta, naming what is missing', () => {
    const got = refusal(read(modernHeaders('tools/list'), rpc('tools/list')));
    assert.deepEqual(got, { status: 400, code: -32602, data: { envelope: { missing: ['_meta'] } } });
  });

  it('an envelope without capabilities', () => {
    const { 'io.modelcontextprotocol/clientCapabilities': _none, ..._meta } = META;
    const got = refusal(read(modernHeaders('tools/list'), rpc('tools/list', { _meta })));
    assert.deepEqual(got.data, { envelope: { missing: ['io.modelcontextprotocol/clientCapabilities'] } });
  });

  it('a legacy header over a modern body', () => {
    const reading = read({ 'mcp-protocol-version': '2025-11-25' }, rpc('tools/list', { _meta: META }));
    assert.deepEqual(codes(reading), [400, -32020]);
  });

  it('a version nobody knows, with those that are supported', () => {
    const _meta = { ...META, 'io.modelcontextprotocol/protocolVersion': '2099-01-01' };
    const headers = { ...modernHeaders('tools/list'), 'mcp-protocol-version': '2099-01-01' };
    const got = refusal(read(headers, rpc('tools/list', { _meta })));
    assert.deepEqual(got, { status: 400, code: -32022, data: { supported: [NOW], requested: '2099-01-01' } });
  });

  it('an Mcp-Method that differs from the body or is missing', () => {
    const body = rpc('tools/list', { _meta: META });
    assert.deepEqual(codes(read(modernHeaders('prompts/list'), body)), [400, -32020]);
    assert.deepEqual(codes(read({ 'mcp-protocol-version': NOW }, body)), [400, -32020]);
  });

  it('an Mcp-Name that is missing, different or wrongly wrapped', () => {
    const body = rpc('tools/call', { name: 'tëst', arguments: {}, _meta: META });
    assert.deepEqual(codes(read(modernHeaders('tools/call'), body)), [400, -32020]);
    assert.deepEqual(codes(read(modernHeaders('tools/call', 'test'), body)), [400, -32020]);
    assert.deepEqual(codes(read(modernHeaders('tools/call', '=?base64?dMOrc3Q?='), body)), [400, -32020]);
  });

  it('methods that do not exist, and those of the other era, as not found', () => {
    for (const method of ['foo/bar', 'ping', 'resources/subscribe', 'session/stream', 'notifications/cancelled']) {
      assert.deepEqual(codes(read(modernHeaders(method), rpc(method, { _meta: META }))), [404, -32601], method);
    }
  });

  it('initialize under a modern header', () => {
    assert.deepEqual(codes(read(modernHeaders('initialize'), rpc('initialize', {}))), [400, -32020]);
  });

  it('batches, whatever the era', () => {
    const batch = [rpc('tools/list', { _meta: META })];
    assert.deepEqual(codes(read(modernHeaders('tools/list'), batch)), [400, -32600]);
    assert.deepEqual(codes(read({ 'mcp-protocol-version': '2025-03-26' }, batch)), [400, -32600]);
  });

  it('answers, because nobody asks', () => {
    const answer = { jsonrpc: '2.0', id: 1, result: {} };
    assert.deepEqual(codes(read({ 'mcp-protocol-version': NOW }, answer)), [400, -32600]);
  });

  it('an unknown log level', () => {
    const _meta = { ...META, 'io.modelcontextprotocol/logLevel': 'loud' };
    assert.deepEqual(codes(read(modernHeaders('tools/list'), rpc('tools/list', { _meta }))), [200, -32602]);
  });

  it('GET and DELETE', () => {
    for (const verb of ['GET', 'DELETE'] as const) {
      const headers = { 'mcp-protocol-version': NOW, 'mcp-session-id': 'x' };
      assert.equal(refusal(read(headers, '', verb)).status, 405);
    }
  });
});

describe('any message is refused', () => {
  it('with a content type that is not JSON', () => {
    assert.equal(refusal(read({ 'content-type': 'text/plain' }, rpc('ping'))).status, 415);
    assert.equal(refusal(read({ 'content-type': '' }, rpc('ping'))).status, 415);
  });

  it('when it accepts only one of the two answers', () => {
    for (const accept of ['application/json', 'text/event-stream', 'text/html']) {
      assert.equal(refusal(read({ accept }, rpc('ping'))).status, 406, accept);
    }
  });

  it('when it is not JSON, or says two things at once', () => {
    assert.deepEqual(codes(read({}, '{"jsonrpc":')), [400, -32700]);
    assert.deepEqual(codes(read({}, '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}')), [400, -32600]);
    assert.deepEqual(codes(read({}, '{"jsonrpc":"2.0","id":null,"method":"ping"}')), [400, -32600]);
  });

  it('without touching the id, so that the answer can name it', () => {
    const reading = read(modernHeaders('foo/bar'), '{"jsonrpc":"2.0","id":12345678901234567890,"method":"foo/bar"}');
    assert.equal(reading.requestId, '12345678901234567890');
  });
});

describe('legacy messages are refused', () => {
  it('with a version that is not supported', () => {
    assert.equal(refusal(read({ 'mcp-protocol-version': '1999-01-01' }, rpc('ping'))).status, 400);
  });

  it('in-band when the method is unknown or modern', () => {
    for (const method of ['foo/bar', 'server/discover', 'subscriptions/listen']) {
      assert.deepEqual(codes(read({ 'mcp-protocol-version': '2025-11-25' }, rpc(method))), [200, -32601], method);
    }
  });

  it('when a GET or DELETE names no session', () => {
    for (const verb of ['GET', 'DELETE'] as const) assert.equal(refusal(read({}, '', verb)).status, 405);
  });

  it('when an error answers nothing that could be found', () => {
    const body = { jsonrpc: '2.0', id: null, error: { code: 1, message: 'x' } };
    assert.equal(refusal(read({ 'mcp-protocol-version': '2025-11-25' }, body)).status, 202);
  });
});

describe('the reader', () => {
  it('takes a name wrapped in Base64', () => {
    const body = rpc('tools/call', { name: 'tëst', arguments: {}, _meta: META });
    const reading = readable(read(modernHeaders('tools/call', '=?base64?dMOrc3Q=?='), body));
    assert.equal(reading.era, 'modern');
    assert.equal(reading.kind, 'opening');
  });

  it('ignores mirrored parameters that no schema declares', () => {
    const headers = { ...modernHeaders('tools/call', 't'), 'mcp-param-unknown': 'x' };
    assert.ok(readable(read(headers, rpc('tools/call', { name: 't', _meta: META }))));
  });

  it('takes what the request says of itself from its envelope', () => {
    const _meta = {
      ...META,
      'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
      'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
      'io.modelcontextprotocol/logLevel': 'info',
      progressToken: 7,
    };
    const headers = { ...modernHeaders('tools/list'), 'mcp-session-id': 'ignored' };
    const reading = readable(read(headers, rpc('tools/list', { _meta }, 'a')));
    assert.deepEqual(reading.caps, { elicitation: {} });
    assert.deepEqual(reading.clientInfo, { name: 'c', version: '1' });
    assert.deepEqual([reading.logLevel, reading.progressToken, reading.requestId], ['info', '7', '"a"']);
    assert.equal(reading.sessionToken, undefined);
  });

  it('lets an explicit legacy header outrank stray reserved keys', () => {
    const _meta = { 'io.modelcontextprotocol/clientInfo': { name: 'chat' } };
    const headers = { 'mcp-protocol-version': '2025-11-25', 'mcp-session-id': 's' };
    const reading = readable(read(headers, rpc('tools/list', { _meta })));
    assert.deepEqual([reading.era, reading.version, reading.sessionToken], ['legacy', '2025-11-25', 's']);
  });

  it('does not compare the mirrored headers that some legacy clients send', () => {
    const headers = { 'mcp-protocol-version': '2025-11-25', 'mcp-method': 'other', 'mcp-session-id': 's' };
    assert.equal(readable(read(headers, rpc('tools/list'))).era, 'legacy');
  });

  it('takes a missing version for 2025-03-26', () => {
    assert.equal(readable(read({ 'mcp-session-id': 's' }, rpc('tools/list'))).version, '2025-03-26');
  });

  it('negotiates the version of initialize and takes capabilities from its params', () => {
    const known = readable(read({}, rpc('initialize', { protocolVersion: '2025-06-18', capabilities: { roots: {} } })));
    assert.deepEqual([known.version, known.caps], ['2025-06-18', { roots: {} }]);
    assert.equal(readable(read({}, rpc('initialize', { protocolVersion: '2030-01-01' }))).version, '2025-11-25');
  });

  it('takes wildcards, and no Accept at all, for both answers', () => {
    for (const accept of ['*/*', 'application/*, text/*']) assert.ok(readable(read({ accept }, rpc('ping'))));
    const bare = arrival({ 'content-type': 'application/json; charset=utf-8' });
    assert.ok(readable(reader.read(bare, Buffer.from(JSON.stringify(rpc('ping'))))));
  });

  it('tells events of another exchange from notifications of their own', () => {
    const headers = { 'mcp-protocol-version': '2025-11-25', 'mcp-session-id': 's' };
    const kind = (method: string): string => readable(read(headers, { jsonrpc: '2.0', method, params: {} })).kind;
    assert.equal(kind('notifications/cancelled'), 'event');
    assert.equal(kind('notifications/initialized'), 'opening');
  });

  it('takes posted answers of legacy agents for closings', () => {
    const reading = readable(read({ 'mcp-session-id': 's' }, { jsonrpc: '2.0', id: 4, result: { roots: [] } }));
    assert.deepEqual([reading.kind, reading.requestId, reading.message.payload], ['closing', '4', 'result']);
  });

  it('reads GET and DELETE of a session as its stream and its end', () => {
    const get = readable(read({ 'mcp-session-id': 's', accept: 'text/event-stream' }, '', 'GET'));
    assert.deepEqual([get.message.method, get.sessionToken], ['session/stream', 's']);
    assert.equal(readable(read({ 'mcp-session-id': 's' }, '', 'DELETE')).message.method, 'session/end');
  });
});

describe('mirrored parameters', () => {
  const inputSchema = {
    type: 'object',
    properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, n: { type: 'integer', 'x-mcp-header': 'N' } },
  };
  const definition = {
    server: 's',
    kind: 'tool' as const,
    name: 't',
    digest: '',
    body: Buffer.alloc(0),
    value: { name: 't', inputSchema },
  };
  const check = (headers: Headers, args: object, era: 'modern' | 'legacy' = 'modern') => {
    const message = messageOf(
      JSON.stringify(rpc('tools/call', { name: 'x__t', arguments: args })),
      'opening',
      'tools/call',
    );
    const target = { of: 'definition' as const, server: 's', kind: 'tool' as const, name: 't', definition };
    return checkParams(arrival(headers), exchangeOf({ message, era }, { target }));
  };

  it('are refused when one is missing, different, or mirrors nothing', () => {
    assert.equal(check({}, { region: 'eu' })?.reason, 'header_mismatch');
    assert.equal(check({ 'mcp-param-region': 'us' }, { region: 'eu' })?.reason, 'header_mismatch');
    assert.equal(check({ 'mcp-param-region': 'us' }, { region: null })?.reason, 'header_mismatch');
  });

  it('pass when they say the same, numbers by value', () => {
    const headers = { 'mcp-param-region': '=?base64?ZXU=?=', 'mcp-param-n': '42.0', 'mcp-param-other': 'x' };
    assert.equal(check(headers, { region: 'eu', n: 42 }), undefined);
    assert.equal(check({}, {}), undefined);
  });

  it('are nothing to legacy agents', () => {
    assert.equal(check({}, { region: 'eu' }, 'legacy'), undefined);
  });
});
