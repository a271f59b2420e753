import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifies } from '../../test/verifies.ts';
import type { Part, PartDeps } from '../gateway/component.ts';
import { noting } from '../gateway/house.fixture.ts';
import type { Exchange } from '../gateway/exchange.ts';
import type { Arrival } from '../gateway/ports.ts';
import type { Principal } from '../gateway/principal.ts';
import { manualClock } from '../lib/clock.ts';
import type { Audit } from './audit/audit.ts';
import type { AuditRecord } from './audit/record.ts';
import { COMPONENTS } from './components.ts';
import { samplePrincipal, sampleQuestion } from './samples.ts';
import type { Credentials } from './credentials/credentials.ts';
import type { Identity } from './identity/identity.ts';
import type { Inspection } from './inspection/inspection.ts';
import type { Limits } from './limits/limits.ts';
import type { Policy, Question } from './policy/policy.ts';
import type { Redaction } from './redaction/redaction.ts';
import type { Risk } from './risk/risk.ts';
import type { StorePart } from './store/parts.ts';

const find = (name: string) => COMPONENTS.find(({ kind, use }) => `${kind}/${use}` === name);

/** A part of the box in a folder of its own; `again` makes it anew there, as a restart does. */
async function inBox<P extends Part>(
  name: string,
  config: object,
  run: (part: P, data: string, again: () => Promise<P>) => void | Promise<void>,
): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'sallyport-box-'));
  const made: Part[] = [];
  const make = async (): Promise<P> => {
    const component = find(name);
    assert.ok(component, `${name} is not in the box`);
    const part = await component.create(component.config.parse(config), depsOf(data));
    made.push(part);
    return part as P;
  };
  try {
    await run(await make(), data, make);
  } finally {
    for (const part of made) await part.close?.();
    rmSync(data, { recursive: true });
  }
}

function depsOf(data: string): PartDeps {
  const log = noting({ debug() {}, info() {}, warn() {}, error() {} }, [], 'log');
  const gateway = { name: 'test', version: '0' };
  return { clock: manualClock(), log, data, gateway, servers: ['files'] } as unknown as PartDeps;
}

const principal = (key: string, groups: readonly string[] = []) => ({ key, groups }) as unknown as Principal;
const arrival = (authorization?: string) => ({ header: () => authorization }) as unknown as Arrival;

verifies('local.token', 'only the token of the data directory makes an owner', async () => {
  await inBox<Identity>('identity/local', {}, async (local, data) => {
    const token = readFileSync(join(data, 'token'), 'utf8').trim();
    assert.equal((await local.identify(arrival())).known, false);
    assert.equal((await local.identify(arrival('Bearer something'))).known, false);
    assert.equal((await local.identify(arrival(`Bearer ${token}x`))).known, false);
    assert.equal((await local.identify(arrival(`Bearer ${token.slice(0, -1)}`))).known, false);
    assert.equal((await local.identify(arrival(`Bearer ${token}`))).known, true);
  });
});

verifies('owner.only', 'a stranger is permitted nothing, and the owner no server that is not listed', async () => {
  await inBox<Policy>('policy/owner', {}, async (policy) => {
    const ask = async (groups: readonly string[], server: string | undefined) => {
      const question = { principal: principal('p', groups), resource: { server, kind: 'tool' }, action: 'tool.call' };
      return (await policy.decide(question as unknown as Question)).effect;
    };
    assert.equal(await ask([], 'files'), 'silence');
    assert.equal(await ask(['owner'], 'other'), 'silence');
    assert.equal(await ask(['owner'], 'files'), 'permit');
  });
});

const CEDAR_RULES = [
  { allow: 'readers', group: 'readers', tool: 'files/read', where: { path: { like: '/pub/*' } } },
  { deny: 'no secrets', tool: 'files/read', where: { 'options.secret': true } },
];

verifies(
  'cedar.default-deny',
  'a rule permits what it names, a denial wins, and nobody else is permitted anything',
  async () => {
    await inBox<Policy>('policy/cedar', { rules: CEDAR_RULES }, async (policy) => {
      const ask = async (groups: readonly string[], name: string, args: object) => {
        const resource = { server: 'files', kind: 'tool', name };
        const question = { ...sampleQuestion(), principal: samplePrincipal('p', { groups }), resource };
        return (await policy.decide({ ...question, params: { name, arguments: args } } as unknown as Question)).effect;
      };
      assert.equal(await ask(['readers'], 'read', { path: '/pub/a' }), 'permit');
      assert.equal(await ask(['readers'], 'read', { path: '/etc/a' }), 'silence');
      assert.equal(await ask(['readers'], 'read', { path: '/pub/a', options: { secret: true } }), 'forbid');
      assert.equal(await ask(['readers'], 'read', { path: '/pub/a', options: 7 }), 'forbid');
      assert.equal(await ask(['readers'], 'write', { path: '/pub/a' }), 'silence');
      assert.equal(await ask([], 'read', { path: '/pub/a' }), 'silence');
    });
  },
);

verifies(
  'concurrency.bounded',
  'the next one is refused until one is given back, for one principal and for all',
  async () => {
    await inBox<Limits>('limits/concurrency', { perPrincipal: 2, total: 3 }, async (limits) => {
      const open = async (key: string) =>
        limits.opening({ principal: principal(key), deadline: 1 } as unknown as Exchange);
      const first = await open('a');
      await open('a');
      assert.equal((await open('a')).allowed, false);
      assert.equal((await open('b')).allowed, true);
      assert.equal((await open('c')).allowed, false);
      if (first.allowed) first.done?.();
      if (first.allowed) first.done?.();
      assert.equal((await open('c')).allowed, true);
      assert.equal((await open('c')).allowed, false);
    });
  },
);

verifies('inspection.says-none', 'nothing is inspected by a part that has a name', async () => {
  await inBox<Inspection>('inspection/none', {}, async (none) => {
    const inspected = await none.inspect({} as never, {} as never, 'inward');
    assert.deepEqual(inspected, { findings: [], facts: {}, refuse: undefined });
  });
});

verifies(
  'redaction.all-or-none',
  'the part that changes nothing claims no order of policy, so that the order stops the message',
  async () => {
    await inBox<Redaction>('redaction/none', {}, async (none) => {
      const redact = async (kind: 'redact' | 'mask' | 'notify') =>
        none.redact({} as never, {} as never, [], [{ kind, what: 'email', whom: 'x' } as never]);
      for (const kind of ['redact', 'mask', 'notify'] as const)
        assert.deepEqual(await redact(kind), { ok: true, edits: [], carried: [] });
    });
  },
);

verifies('static.hidden', 'a secret is issued to the connection, and its name tells nothing of it', async () => {
  const config = { headers: { Authorization: 'Bearer abcdef123456' }, env: { KEY: 'fedcba654321' } };
  await inBox<Credentials>('credentials/static', config, async (part) => {
    const issued = await part.issue('files', principal('p'));
    assert.ok(issued.issued);
    assert.deepEqual(issued.grant.headers, [['Authorization', 'Bearer abcdef123456']]);
    assert.deepEqual(issued.grant.env, { KEY: 'fedcba654321' });
    for (const secret of ['abcdef123456', 'fedcba654321']) {
      assert.ok(issued.grant.secrets.includes(secret));
      assert.equal(issued.grant.id.includes(secret), false);
    }
  });
});

const attempt = {
  v: 1,
  id: 'r',
  at: 'now',
  type: 'attempt',
  exchange: 'x',
  run: 'run',
  gateway: { name: 'g', version: '0', config: 'c' },
};

verifies('jsonl.kept', 'a record is in the file when `keep` returns, and a restart closes what is open', async () => {
  await inBox<Audit>('audit/jsonl', {}, async (audit, data, again) => {
    const lines = () =>
      readFileSync(join(data, 'audit', 'audit.jsonl'), 'utf8')
        .split('\n')
        .filter((line) => line !== '');
    const kept = audit.keep(attempt as unknown as AuditRecord);
    if (!(kept instanceof Promise)) assert.equal(lines().length, 1);
    await kept;
    assert.equal(lines().length, 1);
    await audit.close?.();
    await again();
    const last = JSON.parse(lines().at(-1)!) as { type: string; status: string; exchange: string };
    assert.deepEqual([last.type, last.status, last.exchange], ['outcome', 'unknown', 'x']);
  });
});

verifies('risk.constant', 'the configured risk is told, and one beyond the scale is refused', async () => {
  await inBox<Risk>('risk/constant', { score: 42 }, (risk) => assert.equal(risk.score({} as never), 42));
  assert.equal(find('risk/constant')?.config.safeParse({ score: 101 }).success, false);
});

verifies('store.embedded', 'a name is used up once, also after a restart', async () => {
  await inBox<StorePart>('store/embedded', {}, async (part, _data, again) => {
    const once = (of: StorePart['store']) => of.uses.consume('default', 'retry:1', Date.UTC(2030, 0, 1));
    assert.equal(await once(part.store), true);
    assert.equal(await once(part.store), false);
    await part.close?.();
    assert.equal(await once((await again()).store), false);
  });
});

verifies('store.postgres', 'the fleet store is in the box and does not guess where its database is', () => {
  const postgres = find('store/postgres');
  assert.ok(postgres);
  assert.equal(postgres.config.safeParse({}).success, false);
  assert.equal(postgres.config.safeParse({ url: 'postgres://db.test/sallyport' }).success, true);
});
