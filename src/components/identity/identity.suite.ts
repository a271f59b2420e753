/** What every identity part promises. `identitySuite('mine', make)` in a test file registers the tests. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Arrival } from '../../gateway/ports.ts';
import { sampleArrival } from '../samples.ts';
import { assertHoldsNone, lifeTests, using, type Made, type Make } from '../using.ts';
import type { Identity } from './identity.ts';

export interface IdentityCase extends Made<Identity> {
  /** Carries a valid proof. */
  readonly right: Arrival;
  /** Carries a proof of this part's kind that is wrong. */
  readonly wrong: Arrival;
  /** The secrets in `right` and `wrong`, as sent. */
  readonly proofs: readonly string[];
  /** Carries the valid proof of somebody else, where the part knows more than one. */
  readonly other?: Arrival;
}

export function identitySuite(name: string, make: Make<IdentityCase>): void {
  describe(`identity: ${name}`, () => {
    test('a caller without any proof is not known, and nothing is rejected: the next part may know it', () =>
      using(make, async ({ part }) => {
        const identified = await part.identify(sampleArrival());
        assert.equal(identified.known, false);
        assert.equal(!identified.known && identified.why, 'absent');
      }));

    test('a wrong proof is rejected, so that no weaker part repairs it', () =>
      using(make, async ({ part, wrong }) => {
        const identified = await part.identify(wrong);
        assert.equal(identified.known, false);
        assert.equal(!identified.known && identified.why, 'rejected');
      }));

    test('a wrong proof stays wrong after a right one was accepted', () =>
      using(make, async ({ part, right, wrong }) => {
        await part.identify(right);
        assert.equal((await part.identify(wrong)).known, false);
      }));

    test('a refusal repeats nothing of the proof, and its challenge is a header value', () =>
      using(make, async ({ part, wrong, proofs }) => {
        for (const arrival of [wrong, sampleArrival()]) {
          const identified = await part.identify(arrival);
          assertHoldsNone(identified, proofs, 'the refusal');
          assert.match((!identified.known && identified.challenge) || '', /^[\x20-\x7e]*$/);
        }
      }));

    test('the body is never read, and headers are asked for by lower-case name', () =>
      using(make, async ({ part, right, wrong }) => {
        for (const arrival of [right, wrong, sampleArrival()]) await part.identify(watched(arrival));
      }));

    test('a right proof gives a whole principal, and nothing in it holds the proof', () =>
      using(make, async ({ part, right, proofs }) => {
        const principal = await known(part, right);
        for (const word of [
          principal.key,
          principal.tenant,
          principal.issuer,
          principal.subject,
          principal.proof.use,
        ]) {
          assert.ok(word.length > 0);
        }
        assertHoldsNone(principal, proofs, 'the principal');
      }));

    test('the same proof gives the same key, from any address', () =>
      using(make, async ({ part, right }) => {
        const elsewhere = { ...right, peer: { ...right.peer, address: '203.0.113.9' } };
        assert.equal((await known(part, elsewhere)).key, (await known(part, right)).key);
      }));

    test('two callers never share a key', () =>
      using(make, async ({ part, right, other }) => {
        const key = (await known(part, right)).key;
        assert.notEqual(other && (await known(part, other)).key, key);
      }));

    lifeTests(make);
  });
}

async function known(part: Identity, arrival: Arrival) {
  const identified = await part.identify(arrival);
  assert.ok(identified.known, 'the right proof was not accepted');
  return identified.principal;
}

function watched(arrival: Arrival): Arrival {
  return {
    ...arrival,
    header: (name) => {
      assert.equal(name, name.toLowerCase());
      return arrival.header(name);
    },
    body: () => assert.fail('the body was read'),
  };
}
