/** The admin API over real sockets: no way around identity, permission and record, for any operation. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { OPERATIONS } from '../src/admin/operations.ts';
import { openApi } from '../src/admin/openapi.ts';
import { startGateway, type Gateway } from './gateway.ts';
import { verifies } from './verifies.ts';

const CALLERS = fileURLToPath(new URL('fixtures/callers.ts', import.meta.url));
const STRANGERS = fileURLToPath(new URL('fixtures/strangers.ts', import.meta.url));
const AGENT = { name: 'ci', owner: 'platform', proofs: [{ use: 'api-key', subject: 'ci' }] };

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
}

interface Asking {
  readonly token?: string | undefined;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

describe('the admin API', { timeout: 30_000 }, () => {
  let gateway: Gateway;
  let socket: string;
  before(async () => {
    gateway = await startGateway({
      identity: [{ use: 'local' }, { use: 'api-key' }, { use: STRANGERS }, { use: CALLERS }],
      agents: { unknown: 'refuse' },
      admin: { listen: '127.0.0.1:0' },
    });
    socket = join(dirname(dirname(gateway.audit)), 'sallyport.sock');
  });
  after(() => gateway?.close());

  async function ask(
    verb: string,
    path: string,
    { token = gateway.token, body, headers = {} }: Asking = {},
  ): Promise<Answer> {
    const sent = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const all = {
      host: 'localhost',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const made = request(
        { socketPath: socket, path: `/admin/v1${path}`, method: verb, headers: all, agent: false },
        resolve,
      );
      made.on('error', reject).end(sent);
    });
    const answered = await text(response);
    const parsed = answered === '' ? {} : (JSON.parse(answered) as Record<string, unknown>);
    return { status: response.statusCode ?? 0, headers: response.headers, body: parsed };
  }

  const paths = OPERATIONS.map(({ verb, path, action, id }) => ({
    verb,
    path: path.replace('{name}', 'ci'),
    action,
    id,
  }));
  const notices = async (what: string) =>
    (await readFile(gateway.audit, 'utf8'))
      .split('\n')
      .filter((line) => line.includes(`"what":"${what}"`))
      .map((line) => (JSON.parse(line) as { details: Record<string, unknown> }).details);

  for (const { verb, path, action, id } of paths) {
    verifies(
      'admin.no-around',
      `${id} is refused without a proof, with a wrong one, and to whom policy permits nothing; recorded`,
      async () => {
        const before = (await notices(action)).length;
        const wrong = `spt_${'A'.repeat(43)}`;
        assert.deepEqual(
          [
            (await ask(verb, path, { token: '' })).status,
            (await ask(verb, path, { token: wrong })).status,
            (await ask(verb, path, { token: 'stranger' })).status,
          ],
          [401, 401, 403],
        );
        const kept = (await notices(action)).slice(before);
        assert.deepEqual(
          kept.map(({ allowed, reason }) => [allowed, reason]),
          [
            [false, 'unauthenticated'],
            [false, 'credentials_rejected'],
            [false, 'not_permitted'],
          ],
        );
        assert.equal(kept[2]?.['subject'], 'stranger');
      },
    );
  }

  verifies('admin.no-around', 'what is no operation is refused to a stranger like what is one', async () => {
    for (const path of ['/agents/ci', '/nothing', '', '/agents/ci/suspend/x', '/../agents']) {
      assert.equal((await ask('GET', path, { token: '' })).status, 401, path);
    }
    assert.equal((await ask('GET', '/nothing')).status, 404);
  });

  verifies(
    'admin.no-around',
    'another host name, a foreign page and a doubled header are refused before anything is asked',
    async () => {
      assert.equal((await ask('GET', '/agents', { headers: { host: 'evil.test' } })).status, 403);
      assert.equal((await ask('GET', '/agents', { headers: { origin: 'https://evil.test' } })).status, 403);
      assert.equal((await ask('GET', '/agents')).status, 200);
    },
  );

  test('agents do not find it at their own door', async () => {
    const response = await fetch(`${gateway.url}/admin/v1/agents`, {
      headers: { authorization: `Bearer ${gateway.token}` },
    });
    assert.equal(response.status, 404);
  });

  test('an owner who is no agent registers the first one, although unknown agents are refused', async () => {
    const added = await ask('POST', '/agents', { body: AGENT });
    assert.deepEqual([added.status, added.body['state']], [201, 'active']);
    assert.equal((await ask('POST', '/agents', { body: AGENT })).status, 409);
    const suspended = await ask('POST', '/agents/ci/suspend', { body: { why: 'a drill' } });
    assert.deepEqual([suspended.body['state'], suspended.body['why']], ['suspended', 'a drill']);
    assert.equal((await ask('POST', '/agents/ci/resume')).body['state'], 'active');
  });

  verifies(
    'admin.recorded',
    'what is changed is recorded before and after, with who and what, and never with a key',
    async () => {
      const made = await ask('POST', '/keys', {
        body: { name: 'deploy', owner: 'ada', groups: ['owner'], actions: ['tool.*'] },
      });
      assert.equal(made.status, 201);
      const [told] = (await notices('admin.keys.write')).filter(
        ({ operation, allowed }) => operation === 'createKey' && allowed,
      );
      assert.deepEqual(
        [told?.['subject'], told?.['proof'], (told?.['input'] as { name?: string } | undefined)?.name],
        ['owner', 'local', 'deploy'],
      );
      const outcomes = await notices('admin.outcome');
      assert.deepEqual(outcomes.at(-1), { operation: 'createKey', params: {}, status: 201 });
      assert.ok(!(await readFile(gateway.audit, 'utf8')).includes(made.body['key'] as string));
    },
  );

  verifies('admin.no-around', 'a key whose scope holds no administration is refused, and its twin is not', async () => {
    const key = async (name: string, actions: readonly string[]) =>
      (await ask('POST', '/keys', { body: { name, owner: 'ada', groups: ['owner'], actions } })).body['key'] as string;
    const [tools, reads] = [await key('tools', ['tool.*']), await key('reads', ['admin.agents.read'])];
    assert.equal((await ask('GET', '/agents', { token: tools })).status, 403);
    assert.equal((await ask('GET', '/agents', { token: reads })).status, 200);
    assert.equal((await ask('DELETE', '/agents/ci', { token: reads })).status, 403);
  });

  verifies('admin.no-around', 'a suspended agent does not administer, whatever policy says', async () => {
    const key = (await ask('POST', '/keys', { body: { name: 'boss', owner: 'ada', groups: ['owner'] } })).body[
      'key'
    ] as string;
    const boss = { name: 'boss', owner: 'ada', proofs: [{ use: 'api-key', subject: 'boss' }] };
    await ask('POST', '/agents', { body: boss });
    assert.equal((await ask('GET', '/agents', { token: key })).status, 200);
    await ask('POST', '/agents/boss/suspend');
    assert.equal((await ask('POST', '/agents/boss/resume', { token: key })).status, 403);
  });

  test('what is wrong is told all at once, with its place and a remedy', async () => {
    const { status, headers, body } = await ask('POST', '/agents', {
      body: { ...AGENT, name: 'No', proofs: [{ use: 'oauth', subject: 'a' }], extra: 1 },
    });
    assert.deepEqual([status, headers['content-type']], [422, 'application/problem+json']);
    const places = (body['problems'] as { place: string }[]).map(({ place }) => place);
    assert.deepEqual(
      places.toSorted((a, b) => a.localeCompare(b)),
      ['', '/name', '/proofs/0'],
    );
    assert.ok(body['remedy']);
  });

  test('a body that is no strict JSON, no JSON at all, or too large changes nothing', async () => {
    const post = async (body: string, headers = {}) => (await ask('POST', '/agents', { body, headers })).status;
    assert.equal(await post('{"name":"a","name":"b"}'), 400);
    assert.equal(await post('name=a', { 'content-type': 'application/x-www-form-urlencoded' }), 415);
    assert.equal(await post('{}', { 'content-length': '300000' }), 413);
  });

  test('the configuration in force is shown with origins, and status with servers', async () => {
    const { body } = await ask('GET', '/configuration');
    const settings = body['settings'] as { path: string; value: unknown }[];
    assert.ok(settings.some(({ path, value }) => path === 'agents.unknown' && value === 'refuse'));
    assert.ok('servers' in (await ask('GET', '/status')).body);
  });

  test('the document names every operation, as it is published', async () => {
    const { body } = await ask('GET', '/openapi.json');
    const published = JSON.parse(await readFile(new URL('../schema/openapi.json', import.meta.url), 'utf8')) as {
      info: { version: string };
    };
    assert.deepEqual(body, published);
    assert.deepEqual(JSON.parse(JSON.stringify(openApi(published.info.version))), published);
  });
});
