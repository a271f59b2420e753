import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog, prettyLine } from './log.ts';
import type { LogSettings } from './log.ts';

function logged(
  settings: Partial<LogSettings>,
  write: (log: ReturnType<typeof createLog>) => void,
  isTTY = false,
): string {
  let text = '';
  const output = { isTTY, write: (line: string) => void (text += line) };
  write(createLog({ level: 'info', format: 'auto', ...settings }, output, {}));
  return text;
}

test('a token that slipped in is not written', () => {
  const text = logged({}, (log) =>
    log.info({ token: 'hunter2', request: { authorization: 'Bearer hunter2' } }, 'hello'),
  );
  assert.ok(!text.includes('hunter2'));
});

test('lines below the level are not written', () => {
  assert.equal(
    logged({ level: 'warn' }, (log) => log.info({}, 'hello')),
    '',
  );
});

test('a hostile name cannot move the cursor or reverse the text of a terminal', () => {
  const text = logged({ format: 'pretty' }, (log) => log.warn({ tool: 'a\u001b[2J\u202eb' }, 'odd\u001b[1m\u009bname'));
  assert.ok(!/[\u001b\u009b\u202e]/.test(text));
  assert.match(text, /tool="a\\u001b\[2J\\u\{202e\}b"/);
});

test('elsewhere than on a terminal a line is one JSON object with time, level and message', () => {
  const line = JSON.parse(logged({}, (log) => log.error({ server: 'files' }, 'gone'))) as Record<string, unknown>;
  assert.deepEqual([line['level'], line['msg'], line['server']], ['error', 'gone', 'files']);
  assert.ok(!Number.isNaN(Date.parse(String(line['time']))));
});

test('on a terminal a line is for people, coloured by level', () => {
  const text = logged({}, (log) => log.error({ server: 'files' }, 'gone'), true);
  assert.match(text, /^\u001b\[31m\d\d:\d\d:\d\d error gone server="files"\u001b\[0m\n$/);
  assert.match(
    prettyLine('{"time":"2026-01-01T10:00:00Z","level":"info","msg":"up"}', false),
    /^10:00:00 info {2}up\n$/,
  );
});
