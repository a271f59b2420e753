import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client } from 'pg';
import { startPostgres, type TestPostgres } from '../../../../test/postgres.ts';
import { systemClock, type Clock } from '../../../lib/clock.ts';
import type { Store } from '../store.ts';
import { storeSuite, type Opened } from '../store.suite.ts';
import { postgres } from './postgres.ts';

let server: TestPostgres;
let schemas = 0;

before(async () => {
  server = await startPostgres();
});
after(() => server.stop());

async function open(clock: Clock): Promise<Opened & { readonly config: ReturnType<typeof configFor> }> {
  schemas += 1;
  const config = configFor(`suite_${schemas}`);
  const stores: Store[] = [];
  const reopen = async () => {
    const store = await postgres.open(config, { clock });
    stores.push(store);
    return store;
  };
  const close = async () => {
    await Promise.all(stores.map((store) => store.close()));
  };
  return { config, store: await reopen(), reopen, close };
}

const configFor = (schema: string) => ({ url: server.url, schema, connections: 4 });

async function asAdmin(work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  await work(client);
  await client.end();
}

storeSuite('postgres', open);

test('a schema name that is not plain, another scheme and unknown settings are refused', () => {
  const url = 'postgres://u:p@h/d';
  for (const bad of [
    { url: 'mysql://h/d' },
    { url, schema: 'a; drop table x' },
    { url, fsync: false },
    { url, connections: 0 },
  ]) {
    assert.equal(postgres.config.safeParse(bad).success, false);
  }
});

test('a database that loses what it confirmed is refused', async () => {
  await asAdmin((admin) =>
    admin.query('create role hasty login superuser; alter role hasty set synchronous_commit = off'),
  );
  const url = server.url.replace('sallyport:sallyport@', 'hasty:hasty@');
  await asAdmin((admin) => admin.query(`alter role hasty password 'hasty'`));
  await assert.rejects(postgres.open({ ...configFor('hasty'), url }, { clock: systemClock }), {
    code: 'STORE_NOT_DURABLE',
  });
});

test('a database made by a newer version is refused', async () => {
  const { config, close } = await open(systemClock);
  await close();
  await asAdmin((admin) => admin.query(`insert into ${config.schema}.migrations values (999)`));
  await assert.rejects(postgres.open(config, { clock: systemClock }), { code: 'STORE_NEWER' });
});

test('a server that cannot be reached is told as unavailable, without the password', async () => {
  const config = { url: 'postgres://u:topsecret@127.0.0.1:1/d', schema: 's', connections: 1 };
  await assert.rejects(postgres.open(config, { clock: systemClock }), (error: Error) => {
    assert.equal('code' in error && error.code, 'STORE_UNAVAILABLE');
    assert.doesNotMatch(error.stack ?? '', /topsecret/);
    return true;
  });
});

test('a listener that lost its connection tells everyone that anything may have changed, and hears again', async (t) => {
  const { store, reopen, close } = await open(systemClock);
  t.after(close);
  const replica = await reopen();
  const heard: (string | undefined)[] = [];
  const waiting = new Set<() => void>();
  store.records.watch('t', 'c', (key) => {
    heard.push(key);
    for (const wake of waiting) wake();
  });
  const told = async (key: string | undefined) => {
    while (!heard.includes(key)) await new Promise<void>((wake) => waiting.add(wake));
  };
  await asAdmin((admin) =>
    admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'`),
  );
  await told(undefined);
  await replica.records.put('t', 'c', 'again', { value: '1', expected: 'any' });
  await told('again');
  assert.ok(heard.indexOf(undefined) < heard.indexOf('again'));
});

test('after its connections were cut the store answers again', async (t) => {
  const { store, close } = await open(systemClock);
  t.after(close);
  await store.records.put('t', 'c', 'k', { value: '1', expected: 'any' });
  await asAdmin((admin) =>
    admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and application_name = 'sallyport'`,
    ),
  );
  while (!(await store.health()).ok);
  assert.equal((await store.records.get('t', 'c', 'k'))?.value, '1');
});
