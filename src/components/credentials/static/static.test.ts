import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Grant } from '../../../gateway/ports.ts';
import { sampleDeps, samplePrincipal } from '../../samples.ts';
import { credentialsSuite } from '../credentials.suite.ts';
import { staticCredentials } from './static.ts';

async function begun(given: object) {
  return staticCredentials.create(staticCredentials.config.parse(given), sampleDeps('unused'));
}

async function granted(given: object): Promise<Grant> {
  const issued = await (await begun(given)).issue('files', samplePrincipal('ada'));
  assert.ok(issued.issued);
  return issued.grant;
}

credentialsSuite('static', async () => ({
  part: await begun({ headers: { authorization: 'Bearer abcdef-123456' }, env: { TOKEN: 'another-secret' } }),
  server: 'files',
  principal: samplePrincipal('ada'),
  secrets: ['abcdef-123456', 'another-secret'],
}));

describe('static', () => {
  test('a secret too short to be looked for in answers does not start, and is not repeated', async () => {
    for (const headers of [{ 'x-key': 'q7' }, { authorization: 'Bearer q7' }, { 'x-key': '' }]) {
      await assert.rejects(
        begun({ headers }),
        (error: Error) => /shorter than 6/.test(error.message) && !/q7/.test(error.message),
      );
    }
  });

  test('a value that would begin another header is refused', () => {
    for (const value of ['secret-1\r\nhost: evil', 'secret-1\n', 'sécret-1', 'secret\u0000-1']) {
      assert.equal(staticCredentials.config.safeParse({ headers: { authorization: value } }).success, false);
    }
    assert.equal(staticCredentials.config.safeParse({ headers: { 'x\n': 'secret-1' } }).success, false);
  });

  test('a bare token is a secret too, not only the header it stands in', async () => {
    const { secrets } = await granted({ headers: { authorization: 'Bearer abcdef-123456' } });
    assert.deepEqual(secrets, ['Bearer abcdef-123456', 'abcdef-123456']);
  });

  test('a password that travels in base 64 is a secret decoded as well (RFC 7617)', async () => {
    const encoded = Buffer.from('ada:open:sesame').toString('base64');
    const { secrets } = await granted({ headers: { authorization: `Basic ${encoded}` } });
    for (const secret of [encoded, 'ada:open:sesame', 'open:sesame']) assert.ok(secrets.includes(secret));
  });

  test('the password of a database URL is a secret, as written and decoded', async () => {
    const { secrets } = await granted({ env: { DATABASE_URL: 'postgres://ada:p%40ssword@db:5432/x' } });
    for (const secret of ['p%40ssword', 'p@ssword']) assert.ok(secrets.includes(secret));
  });

  test('headers and environment are handed over as configured', async () => {
    const { headers, env } = await granted({ headers: { 'x-key': 'secret-1' }, env: { KEY: 'secret-2' } });
    assert.deepEqual([headers, env], [[['x-key', 'secret-1']], { KEY: 'secret-2' }]);
  });
});
