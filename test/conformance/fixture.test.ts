import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client as ModernClient } from '@modelcontextprotocol/client';
import { StreamableHTTPClientTransport as ModernHttp } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as LegacyStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as LegacyHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { startFixture, stdioCommand } from './fixture.ts';
import type { Era, Running } from './fixture.ts';
import { runSuite } from './suite.ts';
import type { Revision } from './suite.ts';

const INFO = { name: 'fixture-test', version: '1.0.0' };
const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

describe('the legacy fixture', { concurrency: true }, () => {
  const fixture = startedBefore('legacy');

  test('refuses a stateless request over HTTP with the 400 of SDK v1', async () => {
    const response = await post(fixture().url, discover, { 'mcp-method': 'server/discover' });
    assert.equal(response.status, 400);
    assert.equal((await errorOf(response)).code, -32000);
  });

  test('earns no mark for a call of 2026-07-28', async () => {
    const outcomes = await runSuite('2026-07-28', fixture().url);
    assert.deepEqual(
      outcomes.filter(({ scenario, passed }) => passed && /^(tools|prompts|resources)-/.test(scenario)),
      [],
    );
  });

  test('earns full marks for 2025-11-25', () => assertFullMarks('2025-11-25', fixture().url, 30));

  test('lists the same tools over stdio as over HTTP', async () => {
    await using overStdio = await connectLegacy(new LegacyStdio(stdioCommand('legacy')));
    await using overHttp = await connectLegacy(new LegacyHttp(new URL(fixture().url)) as Transport);
    assert.deepEqual(await overStdio.client.listTools(), await overHttp.client.listTools());
  });

  test('asks user and model over stdio', async () => {
    await using session = await connectLegacy(new LegacyStdio(stdioCommand('legacy')));
    const { client } = session;
    client.setRequestHandler(ElicitRequestSchema, () => ({
      action: 'accept',
      content: { username: 'Ada', email: '@' },
    }));
    client.setRequestHandler(CreateMessageRequestSchema, () => ({
      role: 'assistant',
      model: 'none',
      content: { type: 'text', text: 'Paris' },
    }));
    const elicited = await client.callTool({ name: 'test_elicitation', arguments: { message: 'Who?' } });
    assert.match(JSON.stringify(elicited.content), /action=accept.*Ada/);
    const sampled = await client.callTool({ name: 'test_sampling', arguments: { prompt: 'Capital?' } });
    assert.match(JSON.stringify(sampled.content), /LLM response: Paris/);
  });
});

describe('the modern fixture', { concurrency: true }, () => {
  const fixture = startedBefore('modern');

  test('refuses initialize over HTTP and names its versions', async () => {
    const response = await post(fixture().url, initialize, {});
    assert.equal(response.status, 400);
    const { code, data } = await errorOf(response);
    assert.deepEqual([code, data.supported], [-32022, ['2026-07-28']]);
  });

  test('refuses a session over stdio', async () => {
    const client = new LegacyClient(INFO);
    await using _ = { [Symbol.asyncDispose]: () => client.close() };
    await assert.rejects(client.connect(new LegacyStdio(stdioCommand('modern'))), { code: -32022 });
  });

  test('earns full marks for 2026-07-28', () => assertFullMarks('2026-07-28', fixture().url, 37));

  test('lists the same tools over stdio as over HTTP', async () => {
    await using overStdio = await connectModern(new ModernStdio(stdioCommand('modern')));
    await using overHttp = await connectModern(new ModernHttp(new URL(fixture().url)));
    assert.deepEqual((await overStdio.client.listTools()).tools, (await overHttp.client.listTools()).tools);
  });

  test('asks twice over stdio, and remembers the first answer in the state it sends along', async () => {
    await using session = await connectModern(new ModernStdio(stdioCommand('modern')));
    const { client } = session;
    client.setRequestHandler('elicitation/create', ({ params }) => ({
      action: 'accept',
      content: params.message.startsWith('Step 1') ? { name: 'Ada' } : { color: 'blue' },
    }));
    const result = await client.callTool({ name: 'test_input_required_result_multi_round', arguments: {} });
    assert.match(JSON.stringify(result.content), /Ada likes blue/);
  });
});

test('both eras list the same tools, so that either set can run over either', async () => {
  await using modern = await connectModern(new ModernStdio(stdioCommand('modern')));
  await using legacy = await connectLegacy(new LegacyStdio(stdioCommand('legacy')));
  assert.deepEqual((await modern.client.listTools()).tools, (await legacy.client.listTools()).tools);
});

const discover = { jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: MODERN_META } };
const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: INFO },
};

function startedBefore(era: Era): () => Running {
  let running: Running;
  before(async () => {
    running = await startFixture(era);
  });
  after(() => running.close());
  return () => running;
}

/** Every scenario, also those that do not count, without a warning. */
async function assertFullMarks(revision: Revision, url: string, required: number): Promise<void> {
  const outcomes = await runSuite(revision, url);
  assert.equal(outcomes.filter((outcome) => outcome.required).length, required);
  assert.deepEqual(
    outcomes.filter(({ passed, failedChecks }) => !passed || failedChecks.length > 0),
    [],
  );
}

function post(url: string, body: object, headers: Record<string, string>): Promise<Response> {
  const accept = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
  const version = 'mcp-method' in headers ? { 'mcp-protocol-version': '2026-07-28' } : {};
  return fetch(url, { method: 'POST', body: JSON.stringify(body), headers: { ...accept, ...version, ...headers } });
}

async function errorOf(response: Response): Promise<{ code: number; data: { supported?: string[] } }> {
  return ((await response.json()) as { error: { code: number; data: { supported?: string[] } } }).error;
}

async function connectLegacy(transport: Transport) {
  const client = new LegacyClient(INFO, { capabilities: { elicitation: {}, sampling: {} } });
  await client.connect(transport);
  return { client, [Symbol.asyncDispose]: () => client.close() };
}

async function connectModern(transport: ModernStdio | ModernHttp) {
  const client = new ModernClient(INFO, {
    capabilities: { elicitation: {} },
    versionNegotiation: { mode: { pin: '2026-07-28' } },
  });
  await client.connect(transport);
  return { client, [Symbol.asyncDispose]: () => client.close() };
}
