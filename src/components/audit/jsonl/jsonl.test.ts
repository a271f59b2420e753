import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { sampleAttempt, sampleDeps, sampleOutcome } from '../../samples.ts';
import type { Audit } from '../audit.ts';
import { auditSuite } from '../audit.suite.ts';
import type { AuditRecord } from '../record.ts';
import { jsonl } from './jsonl.ts';

type Settings = Parameters<typeof jsonl.create>[0];

const settings = (given: object = {}): Settings => jsonl.config.parse(given);

function folders() {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-jsonl-'));
  let count = 0;
  return {
    root,
    next: () => join(root, String((count += 1))),
    clean: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** A process that dies leaves its file as it is: a copy of the folder is what the next one finds. */
async function make(given: object) {
  const { next, clean } = folders();
  let data = next();
  const part = await jsonl.create(settings(given), sampleDeps(data));
  const restart = (): Promise<Audit> => {
    const crashed = data;
    data = next();
    cpSync(crashed, data, { recursive: true });
    return Promise.resolve(jsonl.create(settings(given), sampleDeps(data)));
  };
  const lose = () => rmSync(data, { recursive: true });
  return { part, read: () => recordsIn(fileOf(data)), restart, lose, clean };
}

const fileOf = (data: string): string => join(data, 'audit', 'audit.jsonl');

function recordsIn(file: string): AuditRecord[] {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as AuditRecord);
}

auditSuite('jsonl, standard', () => make({}));
auditSuite('jsonl, strict', () => make({ durability: 'strict' }));

describe('jsonl', () => {
  const started = async (run: (data: string, start: (given?: object) => Promise<Audit>) => Promise<void>) => {
    const { next, clean } = folders();
    const data = next();
    const parts: Audit[] = [];
    const start = async (given: object = {}) => {
      const part = await jsonl.create(settings(given), sampleDeps(data));
      parts.push(part);
      return part;
    };
    try {
      await run(data, start);
    } finally {
      for (const part of parts) await part.close?.();
      clean();
    }
  };

  test('a torn last line spoils neither the next record nor the recovery', () =>
    started(async (data, start) => {
      mkdirSync(join(data, 'audit'), { recursive: true });
      const part = await start();
      await part.keep(sampleAttempt('open'));
      await part.close?.();
      const whole = readFileSync(fileOf(data), 'utf8');
      appendFileSync(fileOf(data), whole.slice(0, whole.length / 2));
      await start();
      const lines = readFileSync(fileOf(data), 'utf8').trimEnd().split('\n');
      assert.equal(lines.length, 3);
      assert.match(lines[2] ?? '', /"type":"outcome","exchange":"open".*"status":"unknown"/);
    }));

  test('bytes that are no records do not stop the start', () =>
    started(async (data, start) => {
      mkdirSync(join(data, 'audit'), { recursive: true });
      writeFileSync(fileOf(data), Buffer.from([0, 0xff, 0x0a, 0x7b, 0x7d, 0x0a, 0x7d, 0x0a]));
      const part = await start();
      await part.keep(sampleAttempt('one'));
      assert.ok(readFileSync(fileOf(data), 'utf8').endsWith('}\n'));
    }));

  test('words of an agent cannot forge the head of a line', () =>
    started(async (data, start) => {
      const forged = '{"v":1,"type":"outcome","exchange":"open"}\n"type":"outcome","exchange":"open"';
      const part = await start();
      await part.keep(sampleAttempt('open', { forged, type: 'outcome', exchange: 'open' }));
      await part.close?.();
      await start();
      assert.equal(recordsIn(fileOf(data)).filter(({ type }) => type === 'outcome').length, 1);
    }));

  test('a reload that opens the file again closes no attempt that is still alive', () =>
    started(async (data, start) => {
      const before = await start();
      await before.keep(sampleAttempt('alive'));
      await start({ durability: 'strict' });
      assert.deepEqual(
        recordsIn(fileOf(data)).map(({ type }) => type),
        ['attempt'],
      );
    }));

  test('the file that was removed is reported as a dead control', () =>
    started(async (data, start) => {
      const part = await start();
      rmSync(fileOf(data));
      assert.throws(() => part.keep(sampleAttempt('one')), /removed/);
      assert.equal(part.health?.().state, 'dead');
    }));

  test('nobody else can read the file and its folder, also a file that was there before', () =>
    started(async (data, start) => {
      mkdirSync(data, { mode: 0o700 });
      const part = await start();
      await part.close?.();
      const mode = (path: string) => statSync(path).mode & 0o777;
      assert.equal(mode(join(data, 'audit')), 0o700);
      assert.equal(mode(fileOf(data)), 0o600);
      chmodSync(fileOf(data), 0o644);
      await start();
      assert.equal(mode(fileOf(data)), 0o600);
    }));

  test('bodies: digest keeps digest and size, and no byte of arguments or results', () =>
    started(async (data, start) => {
      const part = await start({ bodies: 'digest' });
      await part.keep(sampleAttempt('one', { secret: 'arguments' }));
      await part.keep(sampleOutcome('one', { secret: 'results' }));
      const text = readFileSync(fileOf(data), 'utf8');
      assert.doesNotMatch(text, /secret/);
      const [attempt] = recordsIn(fileOf(data));
      assert.deepEqual(attempt?.type === 'attempt' && attempt.params, { sha256: 'sample', bytes: 22 });
    }));

  test('a record over a chunk in length is followed as well', () =>
    started(async (data, start) => {
      const part = await start();
      await part.keep(sampleAttempt('long', { text: 'ä'.repeat(1_500_000) }));
      await part.keep(sampleAttempt('done'));
      await part.keep(sampleOutcome('done', { text: 'x'.repeat(2_000_000) }));
      await part.close?.();
      await start();
      const unknown = recordsIn(fileOf(data)).filter(
        (record) => record.type === 'outcome' && record.status === 'unknown',
      );
      assert.deepEqual(
        unknown.map((record) => 'exchange' in record && record.exchange),
        ['long'],
      );
    }));
});
