/**
 * `npm test`: every test file under src/ and test/, on the pinned Node. Prints one line a failing test and
 * ends with `N passed, N failed`. Arguments narrow the files: `npm test -- src/mcp/codec`.
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { run } from 'node:test';

const wanted = process.argv.slice(2);
const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts'])
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();

let passed = 0;
let failed = 0;

const events = run({ files, concurrency: Math.max(2, availableParallelism()), timeout: 300_000 });
for await (const event of events) {
  if (event.type === 'test:stderr' && process.env['VERBOSE']) process.stderr.write(event.data.message);
  if (event.type === 'test:stdout' && process.env['VERBOSE']) process.stdout.write(event.data.message);
  if (event.type === 'test:pass' && event.data.details.type === 'test') passed += 1;
  if (event.type === 'test:fail') {
    if (event.data.details.type === 'suite' && event.data.details.error.failureType === 'subtestsFailed') continue;
    failed += 1;
    const { error } = event.data.details;
    const where = event.data.file ? relative('.', event.data.file) : '';
    console.error(`✖ ${event.data.name}  (${where})\n${describe(error)}\n`);
  }
  if (event.type === 'test:summary' && event.data.file) {
    const { counts, file, duration_ms: duration } = event.data;
    console.log(
      `${counts.failed ? '✖' : '✔'} ${relative('.', file)}  ${counts.passed} (${(duration / 1000).toFixed(1)} s)`,
    );
  }
}

console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);

function describe(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  return (cause.stack ?? String(cause))
    .split('\n')
    .slice(0, 30)
    .map((line) => `    ${line}`)
    .join('\n');
}
