import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { METHODS } from '../src/gateway/methods.ts';
import { INWARD, OUTWARD, type StageRow } from '../src/gateway/pipeline.ts';
import { REQUIREMENTS } from './requirements.ts';
import { verifies } from './verifies.ts';

const root = new URL('../', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8');
const architecture = read('ARCHITECTURE.md');

/** The line of a stage as the drawing has it, without its question. */
function drawn({ stage, act, kinds, observable }: StageRow): string {
  const marks = [...new Set(['opening', 'event', 'closing'] as const)].map((kind) =>
    kinds.includes(kind) ? kind.charAt(0).toUpperCase() : '·',
  );
  return [stage, act, ...marks, ...(observable ? ['≈'] : [])].join(' ');
}

const words = (text: string): string => text.trim().replaceAll(/\s+/g, ' ');

function drawing(direction: 'INWARD' | 'OUTWARD'): string[] {
  const after = architecture.slice(architecture.indexOf(`\n${direction}, `));
  const block = /```\n([\s\S]*?)```/.exec(after)?.[1] ?? '';
  return [...block.matchAll(/^ {2}│(.*?)│/gm)].map(([, line]) => words(line ?? ''));
}

verifies('docs.true', 'the drawing of the two crossings is that of the pipeline', () => {
  assert.deepEqual(drawing('INWARD'), INWARD.map(drawn));
  assert.deepEqual(drawing('OUTWARD'), OUTWARD.map(drawn));
});

verifies('docs.true', 'the table of methods is that of the code', () => {
  const rows = [...architecture.matchAll(/^\| (?:agent|server) \|.*$/gm)].map(([row]) =>
    row.slice(1, -1).split('|').map(words),
  );
  const wanted = METHODS.map((row) => [
    row.opener,
    `\`${row.method}\``,
    row.wire,
    row.eras.join(', '),
    row.target,
    row.answers,
    String(row.events.length),
    String(row.asks.length),
    `\`${row.action}\``,
  ]);
  assert.deepEqual(rows, wanted);
});

verifies('docs.true', 'the files that both pages name are there', () => {
  for (const page of ['ARCHITECTURE.md', 'SECURITY.md']) {
    const links = [...read(page).matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path!);
    assert.deepEqual(
      links.filter((path) => !existsSync(new URL(path, root))),
      [],
      page,
    );
  }
});

verifies('docs.true', 'the security page names promises that are made, and every kind of promise', () => {
  const ids: readonly string[] = REQUIREMENTS.map(({ id }) => id);
  const named = [...read('SECURITY.md').matchAll(/`([a-z]+\.[a-z-]+)`/g)]
    .map(([, id]) => id!)
    .filter((id) => id !== 'code.style');
  assert.ok(named.length > 20);
  assert.deepEqual(
    named.filter((id) => !ids.includes(id)),
    [],
  );
});
