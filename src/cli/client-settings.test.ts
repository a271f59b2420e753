import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientSettings, clientSettingsText } from './client-settings.ts';

const settings = clientSettings('http://127.0.0.1:7777/mcp', 'spt_x');
const of = (client: string) => settings.find((one) => one.client === client)!.text;

test('every client gets the endpoint and the token', () => {
  for (const { client, text } of settings)
    assert.ok(text.includes('http://127.0.0.1:7777/mcp') && text.includes('Bearer spt_x'), client);
});

test('settings that go into a file are JSON with the keys that the client reads', () => {
  const server = { url: 'http://127.0.0.1:7777/mcp', headers: { Authorization: 'Bearer spt_x' } };
  assert.deepEqual(JSON.parse(of('Cursor')), { mcpServers: { sallyport: server } });
  assert.deepEqual(JSON.parse(of('VS Code')), { servers: { sallyport: { type: 'http', ...server } } });
});

test('as text each client is named with where its settings go', () => {
  assert.match(clientSettingsText(settings), /^Claude Code \(run\)\n {2}claude mcp add --transport http sallyport /);
});
