import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { verifies } from '../../../../test/verifies.ts';
import type { JsonObject } from '../../../gateway/document.ts';
import { sampleCall, sampleDeps, sampleExchange } from '../../samples.ts';
import { inspectionSuite } from '../inspection.suite.ts';
import { facts } from './facts.ts';

const begun = (given: object = {}) => facts.create(facts.config.parse(given), sampleDeps('unused'));

inspectionSuite('facts', async () => ({
  part: await begun(),
  harmless: sampleCall('read', { path: '/a', sql: 'select 1' }),
}));

async function factsOf(args: JsonObject, given: object = {}): Promise<JsonObject> {
  const part = await begun(given);
  const inspected = await part.inspect(sampleCall('x', args), sampleExchange(), 'inward');
  return inspected.facts as JsonObject;
}

describe('facts: paths', () => {
  const CANONICAL: readonly [string, string][] = [
    ['/srv/data/a.txt', '/srv/data/a.txt'],
    ['/srv/data/../../etc/passwd', '/etc/passwd'],
    ['/srv//./data/', '/srv/data'],
    ['a/../../b', '../b'],
    ['/..', '/'],
    ['/srv/dä', '/srv/dä'],
  ];
  for (const [given, path] of CANONICAL)
    test(`${given} is ${path}`, async () => assert.equal((await factsOf({ path: given }))['path'], path));

  const TRICKS = [
    '/srv/%2e%2e/etc',
    '/srv/%252e',
    '/srv\\..\\etc',
    '/srv/\u2024\u2024/x',
    '/srv/\uff0fetc',
    '/srv/a\u0000b',
    '~root/x',
    'file:///etc',
    '/srv/a\u0308',
    '',
  ];
  for (const given of TRICKS)
    test(`${JSON.stringify(given)} is no path that could be told`, async () => {
      const told = await factsOf({ path: given });
      assert.deepEqual([told['path'], told['unclear']], [undefined, ['paths']]);
    });

  test('several paths are told by the folder that holds them all', async () => {
    const root = async (...paths: string[]) => (await factsOf({ edits: paths.map((path) => ({ path })) }))['path'];
    assert.equal(await root('/srv/a/x', '/srv/a/y/z'), '/srv/a/');
    assert.equal(await root('/srv/a', '/srv/ab'), '/srv/');
    assert.equal(await root('/srv/a', '/srv/a/b'), '/srv/');
    assert.equal(await root('/srv/a', '/etc/passwd'), '/');
  });
});

describe('facts: URLs', () => {
  test('hosts, schemes and ports are those that a client would use', async () => {
    const told = await factsOf({ a: 'http://2130706433/', b: ['HTTPS://User@Example.COM./x', 'http:\\\\0x7f.1:8080'] });
    assert.deepEqual(told['hosts'], ['127.0.0.1', 'example.com']);
    assert.deepEqual(told['schemes'], ['http', 'https']);
    assert.deepEqual(told['ports'], ['443', '80', '8080']);
  });

  test('what is nearly a URL is unclear', async () => {
    for (const url of ['http://[::1', '//internal/x', '\\\\server\\share'])
      assert.deepEqual((await factsOf({ a: url }))['unclear'], ['urls'], url);
  });
});

describe('facts: SQL', () => {
  const READ: readonly [string, string[], string[]][] = [
    ['select * from customers c join "Orders" o on o.c = c.id', ['select'], ['customers', 'orders']],
    ['select 1 where x in (select y from secret.t)', ['select'], ['secret.t']],
    ['select 1; delete from t', ['delete', 'select'], ['t']],
    ['insert into t select * from u', ['insert', 'select'], ['t', 'u']],
    ['DROP TABLE t', ['drop'], ['t']],
    ['select * into n from o', ['into', 'select'], ['o']],
  ];
  for (const [sql, verbs, tables] of READ)
    test(`understood: ${sql}`, async () => {
      const told = await factsOf({ sql });
      assert.deepEqual([told['sqlVerbs'], told['sqlTables'], told['unclear']], [verbs, tables, []]);
    });

  test('functions are told: they can do what no verb says', async () => {
    assert.deepEqual((await factsOf({ sql: `select pg_read_file('/etc/passwd')` }))['sqlFunctions'], ['pg_read_file']);
  });

  const UNCLEAR = [
    'with a as (delete from x returning *) select * from a',
    'select 1 /*! union select * from secret */',
    'select 1 -- from t',
    `select '\\' or 1=1`,
    `select ${'('.repeat(9)}1${')'.repeat(9)}`,
    `select 1 where ${'(a and ('.repeat(20)}`,
    `select ${'x'.repeat(5_000)}`,
    'this is no sql',
    '',
  ];
  for (const sql of UNCLEAR)
    test(`not guessed: ${sql.slice(0, 40)}`, async () => {
      const told = await factsOf({ sql });
      assert.deepEqual([told['unclear'], (told['sqlVerbs'] as string[]).includes('unknown')], [['sql'], true]);
    });

  test('statements in other arguments are looked for where the settings say', async () => {
    assert.deepEqual((await factsOf({ q: 'drop table t' }))['sqlVerbs'], []);
    assert.deepEqual((await factsOf({ q: 'drop table `t`' }, { sql: ['q'], dialect: 'mysql' }))['sqlVerbs'], ['drop']);
  });

  test('hostile statements are read soon', async () => {
    const start = performance.now();
    const nested = `select ${Array.from({ length: 6 }, () => '(a and (a and (a and (').join(' or ')}`;
    for (let times = 0; times < 3; times += 1) await factsOf({ sql: nested });
    assert.ok(performance.now() - start < 3_000);
  });
});

describe('facts: recipients', () => {
  test('addresses and their domains', async () => {
    const told = await factsOf({ to: 'Ada <ADA@Example.com>, bob@sub.example.org', cc: ['eve@example.com'] });
    assert.deepEqual(told['recipients'], ['ada@example.com', 'bob@sub.example.org', 'eve@example.com']);
    assert.deepEqual(told['recipientDomains'], ['example.com', 'sub.example.org']);
  });

  test('what is no plain address is unclear', async () => {
    for (const to of ['"a, b"@example.com', 'x@y@example.com', 'ada', 'a@example.com <b@evil.test>', 'ada@exämple.com'])
      assert.deepEqual((await factsOf({ to }))['unclear'], ['recipients'], to);
  });
});

test('answers have no facts, and neither has what is no call', async () => {
  const part = await begun();
  assert.deepEqual((await part.inspect(sampleCall('x', { path: '/a' }), sampleExchange(), 'outward')).facts, {});
});

verifies(
  'facts.never-guess',
  'what is clear is told as it is, and what is not is named and never guessed',
  async () => {
    const clear = await factsOf({ path: '/srv/../etc/x', sql: 'select 1 from t', to: 'a@b.test', u: 'http://127.1/' });
    assert.deepEqual(
      [clear['path'], clear['sqlTables'], clear['hosts'], clear['unclear']],
      ['/etc/x', ['t'], ['127.0.0.1'], []],
    );
    const unclear = await factsOf({ path: '/srv/%2e%2e/x', sql: 'select 1 -- x', to: 'a@b@c.test', u: 'http://[' });
    assert.deepEqual(unclear['unclear'], ['paths', 'urls', 'sql', 'recipients']);
    assert.deepEqual([unclear['path'], unclear['sqlVerbs'], unclear['recipients']], [undefined, ['unknown'], []]);
  },
);
