import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Log } from '../gateway/ports.ts';
import { BOX } from '../../test/fixtures/box.ts';
import { loadConfig } from './load.ts';
import type { Loaded } from './load.ts';
import { watchConfig } from './watch.ts';

interface Told {
  readonly level: string;
  readonly fields: { problems?: string[]; why?: string };
}

/** `yaml` is the text, or with `linked` the file that the configuration is a link to. A gateway that notes what it is told; `next` resolves with the next line of the log. */
async function watching(
  t: TestContext,
  yaml: string,
  apply: (loaded: Loaded) => Promise<void> = async () => {},
  linked = false,
) {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-watch-'));
  const file = join(folder, 'sallyport.yaml');
  writeFileSync(join(folder, 'tenant'), 'one');
  if (linked) symlinkSync(yaml, file);
  else writeFileSync(file, yaml);
  const applied: Loaded[] = [];
  const lines: Told[] = [];
  let heard: (told: Told) => void = () => {};
  const line = (level: string) => (fields: object) => {
    lines.push({ level, fields });
    heard({ level, fields });
  };
  const log: Log = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  const loaded = await loadConfig(file, BOX);
  assert.ok(loaded.ok);
  const take = async (next: Loaded) => {
    await apply(next);
    applied.push(next);
  };
  const watch = watchConfig({ file, components: BOX, loaded, log, apply: take, settle: 10 });
  t.after(() => {
    watch.close();
    rmSync(folder, { recursive: true });
  });
  const next = () => new Promise<Told>((resolve) => (heard = resolve));
  return { folder, file, applied, lines, watch, next };
}

test('a changed file with a mistake keeps the old configuration and names the place', async (t) => {
  const { file, applied, next } = await watching(t, 'mode: enforce');
  const told = next();
  writeFileSync(file, 'mode: enforced');
  const { level, fields } = await told;
  assert.equal(level, 'error');
  assert.match(fields.problems![0]!, /^sallyport\.yaml:1:7 mode: expected one of/);
  assert.equal(applied.length, 0);
});

test('a configuration that cannot be put in force leaves the old one and says why', async (t) => {
  const { file, next } = await watching(t, 'mode: enforce', () => Promise.reject(new Error('port in use')));
  const told = next();
  writeFileSync(file, 'mode: observe');
  assert.deepEqual((await told).fields, { why: 'port in use' });
});

test('a corrected file is taken over after a broken one', async (t) => {
  const { file, applied, watch } = await watching(t, 'mode: enforce');
  writeFileSync(file, 'mode: [');
  await watch.check();
  writeFileSync(file, 'mode: observe');
  await watch.check();
  assert.deepEqual(
    applied.map(({ config }) => config.mode),
    ['observe'],
  );
});

test('a file that is replaced, as editors do, is taken over', async (t) => {
  const { folder, file, applied, next } = await watching(t, 'mode: enforce');
  const told = next();
  writeFileSync(join(folder, 'draft'), 'mode: observe');
  renameSync(join(folder, 'draft'), file);
  assert.equal((await told).level, 'info');
  assert.equal(applied[0]?.config.mode, 'observe');
});

test('a changed secret behind a reference is taken over', async (t) => {
  const { folder, applied, next } = await watching(t, 'tenant: ${file:tenant}');
  const told = next();
  writeFileSync(join(folder, 'tenant'), 'two');
  await told;
  assert.equal(applied[0]?.config.tenant, 'two');
});

test('a file behind a link is taken over when the link points elsewhere or its target changes', async (t) => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'sallyport-linked-'));
  t.after(() => rmSync(elsewhere, { recursive: true }));
  const target = join(elsewhere, 'real.yaml');
  writeFileSync(target, 'mode: enforce');
  const { applied, next } = await watching(t, target, undefined, true);
  const told = next();
  writeFileSync(target, 'mode: observe');
  await told;
  assert.equal(applied[0]?.config.mode, 'observe');
});

test('SIGHUP reads the file again', async (t) => {
  const { applied, next } = await watching(t, 'mode: enforce');
  const told = next();
  process.kill(process.pid, 'SIGHUP');
  await told;
  assert.equal(applied.length, 1);
});

test('nothing is heard after close', async (t) => {
  const { file, applied, watch } = await watching(t, 'mode: enforce');
  watch.close();
  writeFileSync(file, 'mode: observe');
  await watch.check();
  assert.equal(applied.length, 0);
  assert.equal(process.listenerCount('SIGHUP'), 0);
});
