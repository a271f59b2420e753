import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import { Payload } from '../../../gateway/payload.ts';
import { sampleAttempt, sampleOutcome } from '../../samples.ts';
import { auditRecord, type AuditRecord } from '../record.ts';
import { Lines } from './line.ts';

type Attempt = Extract<AuditRecord, { type: 'attempt' }>;

function attempt(text: string): Attempt {
  const params = new Payload(Buffer.from(text), JSON.parse(text) as unknown);
  return { ...(sampleAttempt('one') as Attempt), params };
}

const line = (record: AuditRecord, bodies: 'full' | 'digest' = 'full'): string =>
  new Lines(bodies).line(record).toString('utf8');

const sha256 = (text: string): string => hash('sha256', text);

describe('a line', () => {
  test('never breaks within, however the payload is written, and names the digest of what it cannot show', () => {
    const text = '{\r\n  "a": [1,\n 2]\n}';
    const written = line(attempt(text));
    assert.match(written, /^[^\r\n]*\n$/);
    const { params } = auditRecord.parse(JSON.parse(written)) as Attempt;
    assert.deepEqual(params, { sha256: sha256(text), bytes: text.length, json: { a: [1, 2] } });
  });

  test('holds no byte of a payload where only digests are kept', () => {
    const text = '{"secret":"arguments"}';
    const written = line(attempt(text), 'digest');
    assert.doesNotMatch(written, /secret/);
    const { params } = auditRecord.parse(JSON.parse(written)) as Attempt;
    assert.deepEqual(params, { sha256: sha256(text), bytes: text.length });
  });

  test('holds the payload byte for byte: big integers, spelling and order of members', () => {
    const text = '{ "z":12345678901234567890, "a":1.0, "ä":"\\u00e4 ä \u2028" }';
    assert.ok(line(attempt(text)).includes(`"params":{"bytes":${Buffer.byteLength(text)},"json":${text}}`));
  });

  test('is a valid record, and the payload of an event too', () => {
    const { v, at, id, gateway } = sampleAttempt('one');
    const body = new Payload(Buffer.from('{"n":12345678901234567890}'), { n: 1 });
    const event = { method: 'notifications/progress', direction: 'outward' as const, at, body };
    const record: AuditRecord = { v, at, id, gateway, type: 'events', exchange: 'one', events: [event, event] };
    const written = line(record);
    auditRecord.parse(JSON.parse(written));
    assert.equal(written.split('12345678901234567890').length, 3);
    assert.doesNotMatch(line(record, 'digest'), /12345678901234567890/);
  });

  test('larger than the memory that is kept is whole, and so is the next one', () => {
    const lines = new Lines('full');
    const text = JSON.stringify({ big: 'ä'.repeat(100_000) });
    const large = lines.line(attempt(text)).toString('utf8');
    assert.ok(large.includes(text));
    const small = sampleOutcome('two', { small: 'ä' });
    assert.deepEqual(JSON.parse(lines.line(small).toString('utf8')), small);
  });
});
