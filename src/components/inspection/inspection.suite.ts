/** What every inspection part promises. `inspectionSuite('mine', make)` in a test file registers the tests. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../gateway/document.ts';
import type { Direction, Message } from '../../gateway/exchange.ts';
import { sampleCall, sampleDoc, sampleExchange, sampleResult } from '../samples.ts';
import { assertHoldsNone, lifeTests, using, type Made, type Make } from '../using.ts';
import type { Inspected, Inspection } from './inspection.ts';

export interface InspectionCase extends Made<Inspection> {
  /** A message that the part lets pass. */
  readonly harmless: Message;
  /** A message in which it finds something, and what it finds; left out by a part that only computes facts. */
  readonly harmful?: { readonly message: Message; readonly direction: Direction; readonly holds: string };
}

const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'];
const DIRECTIONS: readonly Direction[] = ['inward', 'outward'];

/** A part must answer for each of these within a second, with whatever verdict: a pattern that stalls stalls everybody. */
const HOSTILE: readonly Message[] = [
  sampleCall('read', { text: 'a'.repeat(1_000_000) }),
  sampleCall('read', { text: `${'a.'.repeat(200_000)}!`, spaces: ' '.repeat(400_000) }),
  sampleCall('__proto__', JSON.parse('{"__proto__":{"admin":true},"constructor":null}')),
  sampleResult({
    content: [{ type: 'text', text: '\ud800 lone \u0000 nul \u202e turned' }],
    structuredContent: nested(200),
  }),
  {
    kind: 'closing',
    method: 'tools/call',
    doc: sampleDoc({ jsonrpc: '2.0', id: 0, error: { code: -1, message: '' } }),
    payload: 'error',
  },
  {
    kind: 'event',
    method: 'notifications/message',
    doc: sampleDoc({ jsonrpc: '2.0', method: 'notifications/message' }),
    payload: 'params',
  },
];

export function inspectionSuite(name: string, make: Make<InspectionCase>): void {
  describe(`inspection: ${name}`, () => {
    test('what it looks for is found or refused, and nothing else is', () =>
      using(make, async ({ part, harmful, harmless }) => {
        const { message, direction } = harmful ?? { message: harmless, direction: 'inward' };
        const { findings, refuse } = await part.inspect(message, sampleExchange(), direction);
        assert.equal(findings.length > 0 || refuse !== undefined, harmful !== undefined);
      }));

    test('findings and refusals never hold what was found: they are recorded', () =>
      using(make, async ({ part, harmful, harmless }) => {
        const { message, direction, holds } = harmful ?? {
          message: harmless,
          direction: 'inward',
          holds: harmless.doc.bytes.toString(),
        };
        const { findings, refuse } = await part.inspect(message, sampleExchange(), direction);
        assertHoldsNone({ findings, refuse }, [holds], 'the finding');
      }));

    test('a hostile message is answered soon, without an exception', () =>
      using(make, async ({ part }) => {
        for (const message of HOSTILE) {
          const start = performance.now();
          for (const direction of DIRECTIONS)
            assertWellFormed(await part.inspect(message, sampleExchange(), direction));
          assert.ok(performance.now() - start < 2_000, `${message.method} took too long`);
        }
      }));

    test('a harmless message is not refused, in neither direction', () =>
      using(make, async ({ part, harmless }) => {
        for (const direction of DIRECTIONS) {
          const inspected = await part.inspect(harmless, sampleExchange(), direction);
          assert.equal(inspected.refuse, undefined);
          assertWellFormed(inspected);
        }
      }));

    test('the same message has the same answer, and is not changed', () =>
      using(make, async ({ part, harmless, harmful }) => {
        for (const message of [harmless, harmful?.message ?? harmless]) {
          const before = { bytes: Buffer.from(message.doc.bytes), value: structuredClone(message.doc.value) };
          const first = await part.inspect(message, sampleExchange(), 'inward');
          assert.deepEqual(await part.inspect(message, sampleExchange(), 'inward'), first);
          assert.deepEqual({ bytes: message.doc.bytes, value: message.doc.value }, before);
        }
      }));

    lifeTests(make);
  });
}

function assertWellFormed({ findings, facts, refuse }: Inspected): void {
  for (const { by, kind, severity, path } of findings) {
    assert.ok(by.length > 0 && kind.length > 0);
    assert.ok(SEVERITIES.includes(severity));
    assert.equal(typeof path, 'string');
  }
  for (const fact of Object.values(facts).flat()) assert.ok(['string', 'number', 'boolean'].includes(typeof fact));
  assert.ok(refuse === undefined || refuse.length > 0);
}

function nested(depth: number): JsonObject {
  return depth === 0 ? { in: {} } : { in: nested(depth - 1) };
}
