import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { sampleArrival, sampleDeps } from '../../samples.ts';
import type { Identity } from '../identity.ts';
import { identitySuite } from '../identity.suite.ts';
import { local } from './local.ts';

function begun(data: string, given: object = {}): Identity | Promise<Identity> {
  return local.create(local.config.parse(given), sampleDeps(data));
}

const bearer = (token: string, scheme = 'Bearer') => sampleArrival({ authorization: `${scheme} ${token}` });
const tokenIn = (data: string): string => readFileSync(join(data, 'token'), 'utf8').trim();
const mode = (path: string): number => statSync(path).mode & 0o777;

identitySuite('local', async () => {
  const data = mkdtempSync(join(tmpdir(), 'sallyport-local-'));
  const part = await begun(data);
  const right = tokenIn(data);
  const wrong = `spt_${'A'.repeat(right.length - 4)}`;
  const clean = () => rmSync(data, { recursive: true });
  return { part, right: bearer(right), wrong: bearer(wrong), proofs: [right, wrong], clean };
});

describe('local', () => {
  const inFolder = (run: (data: string) => Promise<void>) => async () => {
    const data = mkdtempSync(join(tmpdir(), 'sallyport-local-'));
    try {
      await run(data);
    } finally {
      rmSync(data, { recursive: true });
    }
  };

  const why = async (part: Identity, authorization: string) => {
    const identified = await part.identify(sampleArrival({ authorization }));
    return identified.known ? 'known' : identified.why;
  };

  test(
    'a token that is too short, too long or differs in one character is rejected',
    inFolder(async (data) => {
      const part = await begun(data);
      const token = tokenIn(data);
      const other = token.endsWith('A') ? 'B' : 'A';
      for (const wrong of ['spt_', token.slice(0, -1), `${token}x`, token.slice(0, -1) + other, token + token]) {
        assert.equal(await why(part, `Bearer ${wrong}`), 'rejected');
      }
    }),
  );

  test(
    'a token of another kind, another scheme or two tokens in one header are left to the next part',
    inFolder(async (data) => {
      const part = await begun(data);
      const token = tokenIn(data);
      for (const header of [
        'Bearer eyJhbGciOiJ9.x.y',
        `Basic ${token}`,
        `Bearer ${token} ${token}`,
        token,
        'Bearer',
        '',
      ]) {
        assert.equal(await why(part, header), 'absent');
      }
    }),
  );

  test(
    'the scheme is read in any case (RFC 9110 §11.1), the token only in its own',
    inFolder(async (data) => {
      const part = await begun(data);
      const token = tokenIn(data);
      for (const scheme of ['Bearer', 'bearer', 'BEARER']) assert.equal(await why(part, `${scheme} ${token}`), 'known');
      assert.equal(await why(part, `Bearer spt_${token.slice(4).toUpperCase()}`), 'rejected');
    }),
  );

  test(
    'the token is made once, with 256 bits, and only its owner can read it',
    inFolder(async (data) => {
      const folder = join(data, 'new');
      await begun(folder);
      const token = tokenIn(folder);
      assert.match(token, /^spt_[A-Za-z0-9_-]{43}$/);
      assert.equal(mode(join(folder, 'token')), 0o600);
      assert.equal(mode(folder), 0o700);
      await begun(folder);
      assert.equal(tokenIn(folder), token);
      assert.deepEqual(readdirSync(folder), ['token']);
    }),
  );

  test(
    'a token file that others could read is closed at start, and reported when it is opened later',
    inFolder(async (data) => {
      await begun(data);
      chmodSync(join(data, 'token'), 0o644);
      const part = await begun(data);
      assert.equal(mode(join(data, 'token')), 0o600);
      chmodSync(join(data, 'token'), 0o604);
      assert.equal(part.health?.().state, 'degraded');
    }),
  );

  test(
    'a token that was thought up or cut is replaced, and the file that held it is closed',
    inFolder(async (data) => {
      for (const weak of ['', 'hunter2', 'spt_', `spt_${'x'.repeat(20)}`, `spt_${'é'.repeat(43)}`]) {
        writeFileSync(join(data, 'token'), weak);
        chmodSync(join(data, 'token'), 0o666);
        const part = await begun(data);
        assert.notEqual(tokenIn(data), weak);
        assert.equal(mode(join(data, 'token')), 0o600);
        if (weak) assert.notEqual(await why(part, `Bearer ${weak}`), 'known');
      }
    }),
  );

  test(
    'a token file that is gone is reported, and the token in use goes on',
    inFolder(async (data) => {
      const part = await begun(data);
      const token = tokenIn(data);
      rmSync(join(data, 'token'));
      assert.equal(part.health?.().state, 'degraded');
      assert.equal(await why(part, `Bearer ${token}`), 'known');
    }),
  );

  test(
    'owners of different names and tenants have different keys',
    inFolder(async (data) => {
      const keys = new Set<string>();
      for (const given of [{}, { subject: 'ada' }, { tenant: 'ada' }, { subject: 'ada', tenant: 'ada' }]) {
        const identified = await (await begun(data, given)).identify(bearer(tokenIn(data)));
        assert.ok(identified.known);
        keys.add(identified.principal.key);
      }
      assert.equal(keys.size, 4);
    }),
  );
});
