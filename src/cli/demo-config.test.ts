import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { COMPONENTS } from '../components/components.ts';
import { checkText } from '../config/load.ts';
import { demoConfig } from './demo-config.ts';

test('the demo is a valid configuration of three servers that are started from what is installed', async () => {
  const result = await checkText(demoConfig('/var/lib/sallyport'), '/tmp/demo.yaml', COMPONENTS, { env: {} });
  assert.ok(result.ok);
  assert.deepEqual(
    result.config.servers.map(({ name }) => name),
    ['files', 'memory', 'everything'],
  );
  for (const { transport } of result.config.servers) {
    assert.ok(transport.kind === 'stdio');
    assert.equal(transport.command, process.execPath);
    assert.ok(existsSync(transport.args[0]!));
  }
});

test('the files server sees the sample folder and nothing else', () => {
  assert.match(demoConfig('/d'), /examples\/demo\/files\n/);
});
