import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ensureGateway } from './start.ts';
import type { StartSettings } from './start.ts';

const TINY = fileURLToPath(new URL('../../../test/fixtures/tiny-gateway.ts', import.meta.url));

let data = '';
let settings: StartSettings;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'sallyport-'));
  const socket = join(data, 'gateway.sock');
  settings = { data, socket, command: [process.execPath, TINY, socket, join(data, 'notes')], within: 10_000 };
});

afterEach(() => {
  for (const pid of started()) process.kill(pid);
  rmSync(data, { recursive: true });
});

function started(): number[] {
  const notes = join(data, 'notes');
  return existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n').map(Number) : [];
}

describe('starting the gateway', () => {
  it('says what went wrong when it ends at once, and leaves no lock behind', async () => {
    const command = [process.execPath, '-e', 'console.error("there is no sallyport.yaml here"); process.exit(1)'];
    await assert.rejects(ensureGateway({ ...settings, command }), /it ended with 1.*there is no sallyport\.yaml here/);
    assert.equal(existsSync(join(data, 'start.lock')), false);
  });

  it('fails when the program does not exist, or there is none', async () => {
    await assert.rejects(ensureGateway({ ...settings, command: [join(data, 'nothing')] }), /ENOENT/);
    await assert.rejects(ensureGateway({ ...settings, command: [] }), /no command/);
  });

  it('fails in time when nobody comes to listen', async () => {
    const command = [process.execPath, '-e', 'setTimeout(() => {}, 400)'];
    await assert.rejects(ensureGateway({ ...settings, command, within: 200 }), /does not listen after 200 ms/);
  });

  it('happens once for five that want it at the same time', async () => {
    await Promise.all([1, 2, 3, 4, 5].map(() => ensureGateway(settings)));
    assert.equal(started().length, 1);
  });

  it('does not happen when somebody listens', async () => {
    const server = createServer().listen(settings.socket);
    await once(server, 'listening');
    await ensureGateway(settings);
    assert.deepEqual(started(), []);
    server.close();
  });

  it('is not held up by the lock of a process that is dead', async () => {
    const { pid } = await dead();
    writeFileSync(join(data, 'start.lock'), String(pid));
    await ensureGateway(settings);
    assert.equal(started().length, 1);
  });
});

async function dead(): Promise<{ pid: number }> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return { pid: child.pid! };
}
