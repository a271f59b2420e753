/** What every credentials part promises (law 3). `credentialsSuite('mine', make)` in a test file registers the tests. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Principal } from '../../gateway/principal.ts';
import { samplePrincipal } from '../samples.ts';
import { assertHoldsNone, frozen, lifeTests, using, type Made, type Make } from '../using.ts';
import type { Credentials } from './credentials.ts';

export interface CredentialsCase extends Made<Credentials> {
  readonly server: string;
  /** Somebody who gets a credential. */
  readonly principal: Principal;
  /** Every secret that the grant consists of: the bare ones, without scheme. */
  readonly secrets: readonly string[];
  /** Somebody who gets none, where there is such a one. */
  readonly stranger?: Principal;
}

export function credentialsSuite(name: string, make: Make<CredentialsCase>): void {
  describe(`credentials: ${name}`, () => {
    test('who gets none is told so, without a value', () =>
      using(make, async ({ part, server, stranger, secrets }) => {
        const issued = await part.issue(server, stranger ?? samplePrincipal('stranger'));
        if (stranger) assert.equal(issued.issued, false);
        if (!issued.issued) assertHoldsNone(issued, secrets, 'the refusal');
        else assertHoldsNone(issued.grant.id, secrets, 'the id of the grant');
      }));

    test('the id of a grant is recorded, so it is not empty and holds no secret', () =>
      using(make, async (made) => {
        const { id } = await granted(made);
        assert.ok(id.length > 0);
        assertHoldsNone(id, made.secrets, 'the id of the grant');
      }));

    test('every secret is listed, so that an answer which echoes one is stopped', () =>
      using(make, async (made) => {
        const grant = await granted(made);
        for (const secret of made.secrets) assert.ok(grant.secrets.includes(secret), 'a secret is not listed');
        const values = [...grant.headers.map(([, value]) => value), ...Object.values(grant.env)];
        for (const value of values) {
          assert.ok(
            grant.secrets.some((secret) => value.includes(secret)),
            'a value without any listed secret in it',
          );
        }
      }));

    test('no listed secret is so short that ordinary answers hold it', () =>
      using(make, async (made) => {
        for (const { length } of (await granted(made)).secrets) assert.ok(length >= 6, `${length} characters`);
      }));

    test('names and values of headers cannot break out of their line', () =>
      using(make, async (made) => {
        for (const [name, value] of (await granted(made)).headers) {
          assert.match(name, /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/);
          assert.ok(/^[\t\x20-\x7e]*$/.test(value), `the value of ${name} is not printable ASCII`);
        }
      }));

    test('issuing changes nothing of the principal, and the same call gives the same grant', () =>
      using(make, async ({ part, server, principal }) => {
        const same = frozen(structuredClone(principal));
        assert.deepEqual(await part.issue(server, same), await part.issue(server, same));
      }));

    lifeTests(make);
  });
}

async function granted({ part, server, principal }: CredentialsCase) {
  const issued = await part.issue(server, principal);
  assert.ok(issued.issued, 'no credential was issued');
  return issued.grant;
}
