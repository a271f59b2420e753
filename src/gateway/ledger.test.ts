import assert from 'node:assert/strict';
import fc from 'fast-check';
import { verifies } from '../../test/verifies.ts';
import type { Exchange } from './exchange.ts';
import { Ledger, type Open } from './ledger.ts';

const word = fc.constantFrom('a', 'b', 'a|b', '1:a', '');
const entry = fc.record({
  principal: word,
  session: word,
  requestId: word,
  opener: fc.constantFrom('agent', 'server'),
});
type Entry = typeof entry extends fc.Arbitrary<infer E> ? E : never;

function openOf({ principal, session, requestId, opener }: Entry, id: string): Open {
  const exchange = { id, principal: { key: principal }, session, requestId, row: { opener } } as unknown as Exchange;
  return { exchange } as Open;
}

const find = (ledger: Ledger, { principal, session, requestId, opener }: Entry): Open | undefined =>
  opener === 'agent' ? ledger.request(session, requestId, principal) : ledger.ask(session, requestId, principal);

const named = ({ principal, session, requestId, opener }: Entry): string =>
  JSON.stringify([opener, principal, session, requestId]);

verifies(
  'ledger.isolated',
  'whatever their names hold, a principal finds what it opened itself and nothing else',
  () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 12 }), entry, (entries, wanted) => {
        const ledger = new Ledger();
        const last = new Map<string, Open>();
        for (const [index, one] of entries.entries()) {
          const open = openOf(one, String(index));
          ledger.add(open);
          last.set(named(one), open);
        }
        assert.equal(find(ledger, wanted), last.get(named(wanted)));
      }),
    );
  },
);

verifies('ledger.isolated', 'taking one away leaves those of all others', () => {
  fc.assert(
    fc.property(fc.uniqueArray(entry, { selector: named, minLength: 1, maxLength: 8 }), (entries) => {
      const ledger = new Ledger();
      const opens = entries.map((one, index) => openOf(one, String(index)));
      for (const open of opens) ledger.add(open);
      ledger.remove(opens[0]!);
      assert.equal(find(ledger, entries[0]!), undefined);
      for (const [index, one] of entries.entries()) if (index > 0) assert.equal(find(ledger, one), opens[index]);
      assert.equal(ledger.size, opens.length - 1);
    }),
  );
});

verifies('ledger.isolated', 'no two asks have the same id', () => {
  const ledger = new Ledger();
  const ids = Array.from({ length: 100 }, () => ledger.nextAskId());
  assert.equal(new Set(ids).size, 100);
});
