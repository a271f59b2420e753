import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sallyport-policy-'));
after(() => rmSync(folder, { recursive: true }));

function write(file: string, text: string): void {
  writeFileSync(join(folder, file), text);
}

/** @returns exit code, and everything that was printed */
function policy(...args: readonly string[]): { readonly code: number | null; readonly text: string } {
  const env = { ...process.env, NO_COLOR: '1', SALLYPORT_DATA: join(folder, 'data') };
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'policy', ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  return { code: status, text: stdout + stderr };
}

const CONFIG = `policy:
  use: cedar
  files: "*.cedar"
  tests: "*.cases.yaml"
  rules:
    - { allow: readers, group: readers, tool: db/read, where: { table: customers } }
`;
const CASES = `- name: readers read
  as: { groups: [readers] }
  call: db/read
  arguments: { table: customers }
  expect: { effect: permit, rules: readers }
`;

write('sallyport.yaml', CONFIG);
write(
  'draft.yaml',
  CONFIG.replace('table: customers', 'table: orders')
    .replace('*.cases.yaml', '*.none')
    .replace('  tests: "*.none"\n', ''),
);
write('a.cases.yaml', CASES);
write(
  'a.cedar',
  '@id("night") forbid (principal, action == Action::"tool.call", resource)\n  when { context.time.hour < 6 };\n',
);

describe('sallyport policy', () => {
  test('explain says which policies decide, and why nothing permits', () => {
    const at = ['--at', '2026-11-20T12:00:00Z'];
    const denied = policy('explain', 'db/read', '--group', 'readers', '--arguments', '{"table":"x"}', ...at);
    assert.deepEqual(denied.code, 4, denied.text);
    assert.match(
      denied.text,
      /deny: no policy permits it[^]*readers \(rules:\d+\) +fits, but its conditions do not hold/,
    );
    const night = policy(
      'explain',
      'db/read',
      '--group',
      'readers',
      '--arguments',
      '{"table":"customers"}',
      '--at',
      '2026-11-20T05:00:00Z',
    );
    assert.match(night.text, /deny: night \(a\.cedar:1\)/);
    const asked = policy(
      'explain',
      'db/read',
      '--group',
      'readers',
      '--arguments',
      '{"table":"customers"}',
      '--json',
      ...at,
    );
    assert.deepEqual([asked.code, (JSON.parse(asked.text) as { effect: string }).effect], [0, 'permit']);
  });

  test('check says nothing where nothing is wrong, and every fault with its place', () => {
    assert.deepEqual(policy('check'), { code: 0, text: '' });
    write('b.cedar', 'permit (principal, action == Action::"tool.cal", resource);');
    const { code, text } = policy('check');
    assert.deepEqual(
      [code, /b\.cedar:1:1 there is no action "tool\.cal", did you mean "tool\.call"\?/.test(text)],
      [1, true],
    );
    rmSync(join(folder, 'b.cedar'));
  });

  test('test runs the cases, and tells what came instead', () => {
    assert.deepEqual(policy('test'), { code: 0, text: '1 passed, 0 failed\n' });
    write('b.cases.yaml', CASES.replace('effect: permit', 'effect: deny'));
    const { code, text } = policy('test');
    assert.deepEqual(
      [code, /b\.cases\.yaml:1 "readers read": expected deny, found permit by readers/.test(text)],
      [1, true],
      text,
    );
    rmSync(join(folder, 'b.cases.yaml'));
  });

  test('show writes short rules out, simulate goes through tools, diff compares', () => {
    assert.match(policy('show').text, /@id\("readers"\)\npermit \(principal in Group::"readers"/);
    const simulated = policy('simulate', '--group', 'readers', 'db/read', 'db/write', '--at', '2026-11-20T12:00:00Z');
    assert.match(simulated.text, /db\/read +listed +readers[^]*db\/write +hidden/);
    assert.match(policy('diff', 'sallyport.yaml', 'draft.yaml').text, /^changed readers \(rules:\d+\)$/m);
  });
});
