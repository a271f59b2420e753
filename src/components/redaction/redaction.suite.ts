/** What every redaction part promises (law 8). `redactionSuite('mine', make)` in a test file registers the tests. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Edit, Json, Path } from '../../gateway/document.ts';
import type { Message } from '../../gateway/exchange.ts';
import type { Finding } from '../../gateway/stage.ts';
import type { Obligation } from '../../gateway/verdict.ts';
import { sampleExchange, sampleResult } from '../samples.ts';
import { assertHoldsNone, lifeTests, using, type Made, type Make } from '../using.ts';
import type { Redacted, Redaction } from './redaction.ts';

export interface RedactionCase extends Made<Redaction> {
  /** An order that the part carries out, and the value that must be gone afterwards; left out by a part that has none. */
  readonly order?: {
    readonly message: Message;
    readonly findings: readonly Finding[];
    readonly obligations: readonly Obligation[];
    readonly gone: string;
  };
}

const PLAIN = sampleResult({ content: [{ type: 'text', text: 'nothing to hide' }], structuredContent: { count: 1 } });
const UNHEARD_OF: readonly Obligation[] = [
  { kind: 'redact', what: 'a class that no part knows' },
  { kind: 'mask', what: 'a class that no part knows' },
];

export function redactionSuite(name: string, make: Make<RedactionCase>): void {
  describe(`redaction: ${name}`, () => {
    test('an order that the part cannot carry out is refused or left to others, never claimed', () =>
      using(make, async ({ part }) => {
        for (const obligation of UNHEARD_OF) {
          const redacted = await part.redact(PLAIN, sampleExchange(), [], [obligation]);
          assert.deepEqual(redacted.ok ? redacted.carried : [], [], `${obligation.kind} was claimed`);
          assert.ok(redacted.ok || redacted.detail.length > 0);
        }
      }));

    test('an order that was carried out is claimed, so that the message may go on', () =>
      using(make, async ({ part, order }) => {
        if (!order) return assert.ok(part);
        const redacted = await part.redact(order.message, sampleExchange(), order.findings, order.obligations);
        assert.deepEqual(redacted.ok && redacted.carried, order.obligations);
      }));

    test('what is ordered away is gone from every copy', () =>
      using(make, async ({ part, order }) => {
        const { message, findings, obligations, gone } = order ?? {
          message: PLAIN,
          findings: [],
          obligations: [],
          gone: 'never there',
        };
        const redacted = await part.redact(message, sampleExchange(), findings, obligations);
        assertHoldsNone(applied(redacted, message), [gone], 'the answer');
      }));

    test('a refusal repeats nothing of the message', () =>
      using(make, async ({ part }) => {
        const redacted = await part.redact(PLAIN, sampleExchange(), [], UNHEARD_OF);
        assertHoldsNone(redacted, ['nothing to hide'], 'the refusal');
      }));

    test('without an order and without findings the answer stays an answer: nothing changes, or the edits apply', () =>
      using(make, async ({ part }) => {
        const value = applied(await part.redact(PLAIN, sampleExchange(), [], []), PLAIN);
        assert.ok(typeof value === 'object' && value !== null && 'result' in value && 'id' in value);
      }));

    test('notices and holds are nothing that redaction refuses', () =>
      using(make, async ({ part }) => {
        const obligations: readonly Obligation[] = [
          { kind: 'notify', whom: 'security' },
          { kind: 'hold', group: 'owners' },
        ];
        assert.equal((await part.redact(PLAIN, sampleExchange(), [], obligations)).ok, true);
      }));

    test('the message that was judged is not changed: only edits say what changes', () =>
      using(make, async ({ part, order }) => {
        const message = order?.message ?? PLAIN;
        const before = { bytes: Buffer.from(message.doc.bytes), value: structuredClone(message.doc.value) };
        await part.redact(message, sampleExchange(), order?.findings ?? [], order?.obligations ?? []);
        assert.deepEqual({ bytes: message.doc.bytes, value: message.doc.value }, before);
      }));

    lifeTests(make);
  });
}

/** The tree after the edits; fails where the gateway's own splices would. */
function applied(redacted: Redacted, message: Message): Json {
  assert.ok(redacted.ok, 'the order was refused');
  const value = structuredClone(message.doc.value);
  for (const edit of redacted.edits) apply(edit, value);
  return value;
}

function apply(edit: Edit, root: Json): void {
  const last = edit.path.at(-1);
  const parent = at(root, edit.path.slice(0, -1));
  assert.ok(last !== undefined && typeof parent === 'object' && parent !== null, `no parent at ${edit.path.join('/')}`);
  const members = parent as Record<string | number, Json>;
  if (edit.op !== 'set') assert.ok(Object.hasOwn(members, last), `nothing at ${edit.path.join('/')}`);
  if (edit.op !== 'remove') members[last] = JSON.parse(edit.json) as Json;
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete members[last];
}

function at(value: Json | undefined, path: Path): Json | undefined {
  return path.reduce<Json | undefined>(
    (place, step) =>
      typeof place === 'object' && place !== null ? (place as Record<string | number, Json>)[step] : undefined,
    value,
  );
}
