/** The bench works. What it measures depends on the machine and is asserted nowhere. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const BENCH = fileURLToPath(new URL('../bench/bench.ts', import.meta.url));
const able = process.platform === 'linux' && ['gcc', 'clang', 'cc'].some((name) => !spawnSync(name, ['-v']).error);

interface Shown {
  readonly rows: readonly { name: string; cpu: number; callsPerSecond: number; p50: number; p99: number }[];
}

function bench(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<{ stdout: string }> {
  return promisify(execFile)(process.execPath, [BENCH, ...args], { env });
}

test('without a compiler the bench says what to install', async () => {
  await assert.rejects(bench(['--quick'], { PATH: '' }), { code: 1, stderr: /C compiler: apt-get install gcc/ });
});

test('a name that fits no row is refused, with the names that there are', async () => {
  const refused = able ? /no row has "nothing"(.*\n)+.*Sallyport, bare/ : /C compiler/;
  await assert.rejects(bench(['--only', 'nothing']), { code: 1, stderr: refused });
});

test('every chosen row has sane figures', async () => {
  const run = bench([
    '--json',
    '--rounds',
    '1',
    '--seconds',
    '0.2',
    '--warmUp',
    '0.2',
    '--only',
    '1.5 KB: direct,bare,10 events',
  ]);
  if (!able) return assert.rejects(run, { stderr: /C compiler/ });
  const { rows } = JSON.parse((await run).stdout) as Shown;
  assert.deepEqual(
    new Set(rows.map(({ name }) => name).filter((name) => name !== 'haproxy' && name !== 'nginx')),
    new Set(['direct', 'Sallyport, bare', 'node:http + undici', 'Sallyport']),
  );
  for (const { cpu, callsPerSecond, p50, p99 } of rows) {
    assert.ok(cpu > 0 && callsPerSecond > 0, 'calls were made, and cost something');
    assert.ok(Number.isFinite(p50) && Number.isFinite(p99), 'latencies were measured');
  }
});
