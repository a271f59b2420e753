/** Byte for byte: a result that no SDK would pass on whole comes through the gateway as the server wrote it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { STRANGE } from './fixtures/faulty/tools.ts';
import { startGateway } from './gateway.ts';
import type { Gateway } from './gateway.ts';

const SCRIPT = fileURLToPath(new URL('fixtures/faulty/stdio.ts', import.meta.url));

describe('a strange result', { timeout: 30_000 }, () => {
  let gateway: Gateway;
  before(async () => {
    gateway = await startGateway({ servers: { faulty: { command: process.execPath, args: [SCRIPT] } } });
  });
  after(() => gateway?.close());

  test('reaches an agent of the same era byte for byte, and what stands beside it', async () => {
    const session = await initialized();
    const body = '{"jsonrpc":"2.0","id":"α","method":"tools/call","params":{"name":"strange"}}';
    const answer = await posted('/mcp/faulty', { 'mcp-session-id': session }, body);
    assert.equal(answer, `{"jsonrpc":"2.0","id":"α","result":${STRANGE},"also":true}`);
  });

  test('reaches an agent of the other era with what that era wants added, and nothing else changed', async () => {
    const _meta =
      '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}';
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"strange",${_meta}}}`;
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'strange' };
    const answer = await posted('/mcp/faulty', headers, body);
    assert.equal(
      answer.replace(/, ?"resultType":"complete"/, ''),
      `{"jsonrpc":"2.0","id":1,"result":${STRANGE},"also":true}`,
    );
  });

  test('is asked for in the words of the agent, but for what belongs to its hop', async () => {
    const strange = '{ "big":12345678901234567890, "\\u0061":[1.0,-0,1e2], "10":0,"2":"\\u00e9\\/" }';
    const own =
      '"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","example.com/x":9007199254740993';
    const envelope =
      '"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}';
    const params = `{"name":"mirror","arguments":${strange},"_meta":{${own},${envelope}},"vendor":[ 1 ]}`;
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'mirror' };
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`;
    const answer = await posted('/mcp/faulty', headers, body);
    const { result } = JSON.parse(answer) as { result: { content: { text: string }[] } };
    const seen = result.content[0]!.text;
    for (const part of [`"arguments":${strange}`, own, '"vendor":[ 1 ]']) assert.ok(seen.includes(part), seen);
    assert.doesNotMatch(seen, /io\.modelcontextprotocol\/(protocolVersion|clientCapabilities)/);
  });

  async function initialized(): Promise<string> {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'agent', version: '1' } };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    const response = await post('/mcp/faulty', {}, body);
    await response.arrayBuffer();
    return response.headers.get('mcp-session-id')!;
  }

  /** The answer alone, whether it came as a body or as the last event of a stream. */
  async function posted(path: string, headers: Record<string, string>, body: string): Promise<string> {
    const response = await post(path, headers, body);
    const text = await response.text();
    if (!response.headers.get('content-type')!.startsWith('text/event-stream')) return text;
    return text.trimEnd().split('\ndata: ').at(-1)!;
  }

  function post(path: string, headers: Record<string, string>, body: string): Promise<Response> {
    return fetch(gateway.url + path, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${gateway.token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
        ...headers,
      },
      body,
    });
  }
});
