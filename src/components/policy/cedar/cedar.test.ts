import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../../gateway/document.ts';
import { samplePrincipal } from '../../samples.ts';
import { policySuite } from '../policy.suite.ts';
import type { Decision, Question } from '../policy.ts';
import { exact, listed } from './judge.ts';
import { analyst, calling, judgedBy, world } from './world.fixture.ts';

const READ = `
@id("readers") permit (principal in Group::"analysts", action, resource == Tool::"db/read");
@id("no-money") forbid (principal, action == Action::"tool.call", resource == Tool::"db/read")
  when { context.args has table && context.args.table == "financials" };`;

policySuite('cedar', async () => {
  const made = await world({ 'a.cedar': READ });
  return {
    part: made.policy,
    permitted: calling('db/read', { table: 'customers' }),
    refused: calling('db/read', { table: 'financials' }),
    clean: () => made.close().catch(() => undefined),
  };
});

/** The answer of policies to one question. Throws what is wrong with them. */
function decide(policies: string, question: Question, given?: object): Decision {
  const judged = judgedBy(policies, given);
  const slice = judged.slices.of(question.principal, question.action, question.resource);
  const listing = question.params === undefined && question.action === 'tool.call';
  return (listing ? listed : exact)(question, slice, judged);
}

const ANY = `permit (principal, action, resource)`;
const call = (args: JsonObject) => calling('db/read', args);

describe('cedar: values that Cedar cannot hold', () => {
  const WANTS = `${ANY} when { context.args has a && context.args.a != "x" };`;
  const HARD: Readonly<Record<string, JsonObject[string]>> = {
    null: null,
    'a fraction': 1.5,
    'a huge number': 1e300,
    'an integer that lost digits': 2 ** 53,
    'half a character': 'x\ud800',
    'a text that is too long': 'x'.repeat(70_000),
    'nesting that is too deep': JSON.parse(`${'['.repeat(200)}1${']'.repeat(200)}`) as JsonObject[string],
    'a list that holds null': [1, null],
  };

  for (const [what, value] of Object.entries(HARD)) {
    test(`${what} is refused where a policy reads it`, async () => {
      const decision = decide(WANTS, call({ a: value }));
      assert.equal(decision.effect, 'forbid');
      assert.match(JSON.stringify(decision), /args\.a cannot be judged/);
    });

    test(`${what} does no harm where no policy reads it`, async () => {
      const decision = decide(WANTS, call({ a: 'y', other: value, deep: { er: value } }));
      assert.equal(decision.effect, 'permit');
    });
  }

  test('a policy that takes all arguments as they are makes every one of them count', async () => {
    const policies = `${ANY} when { context.args != {"a": "z"} };`;
    assert.equal(decide(policies, call({ other: null })).effect, 'forbid');
    assert.equal(decide(policies, call({ other: 1 })).effect, 'permit');
  });

  test('whether a fraction is there may be asked; null may not', async () => {
    const policies = `${ANY} when { context.args has a };`;
    assert.equal(decide(policies, call({ a: 1.5 })).effect, 'permit');
    assert.equal(decide(policies, call({ a: null })).effect, 'forbid');
  });

  test('arguments that are no object are refused where one of them is read', async () => {
    const question = { ...call({}), params: { name: 'read', arguments: ['a'] } };
    assert.equal(decide(WANTS, question).effect, 'forbid');
  });
});

describe('cedar: what the engine does by itself', () => {
  test('an entity or an extension value in arguments never becomes one', async () => {
    const owner = `${ANY} when { context.args.owner == principal };`;
    for (const entity of [{ __entity: { type: 'Agent', id: 'alpha' } }, { __extn: { fn: 'ip', arg: '10.0.0.1' } }])
      for (const args of [{ owner: entity }, { owner: [entity] }, { owner: { in: entity } }])
        assert.equal(decide(owner, call(args as JsonObject)).effect, 'forbid');
  });

  test('a forbid that cannot be evaluated forbids', async () => {
    const policies = `${ANY};\n@id("broken") forbid (principal, action, resource) when { context.args.nope == 1 };`;
    const decision = decide(policies, call({}));
    assert.deepEqual(decision, { effect: 'forbid', rules: ['broken (a.cedar:2) cannot be evaluated'] });
  });

  test('a policy that would break the engine is refused before it is loaded', async () => {
    const deep = `${ANY} when { ${'('.repeat(300)}true${')'.repeat(300)} };`;
    const long = `${ANY} when { ${Array.from({ length: 1_000 }, (_, at) => `context.risk == ${at}`).join(' || ')} };`;
    for (const policies of [deep, long]) assert.throws(() => decide(policies, call({})), /a\.cedar:1:\d+ found/);
  });

  test('templates, unknown words and texts that are no policy are refused with their place', async () => {
    const wrong: readonly [string, RegExp][] = [
      ['\n  permit (principal == ?principal, action, resource);', /a\.cedar:2:\d+ .*template/],
      ['permit (principal, action == Action::"tool.cal", resource);', /action "tool\.cal", did you mean "tool\.call"/],
      ['permit (principal in Grop::"x", action, resource);', /entity type "Grop", did you mean "Group"/],
      [`${ANY} when { context.arg has x };`, /context "arg", did you mean "args"/],
      [`${ANY} when { context.args has __entity };`, /begin with __/],
      [`@hold("x") ${ANY};`, /@hold belongs to a forbid/],
      [`@redact("x") forbid (principal, action, resource);`, /belong to a permit/],
      [`@id("x") ${ANY};\n@id("x") ${ANY};`, /a\.cedar:2:1 @id\("x"\) is that of x \(a\.cedar:1\)/],
      ['permit (principal, action, resource)', /without its final/],
    ];
    for (const [policies, message] of wrong) assert.throws(() => decide(policies, call({})), message);
  });

  test('a set without any policy permits nothing, and a file that is not there is an error', async () => {
    assert.deepEqual(decide('// nothing yet', call({})), { effect: 'silence' });
    await assert.rejects(world({}, { settings: { files: ['gone.cedar'] } }), /gone\.cedar.*no such file/);
  });
});

describe('cedar: holds and orders', () => {
  const HOLD = `@hold("finance") @id("big") forbid (principal, action, resource) when { context.args has n && context.args.n > 100 };`;

  test('what only a person may lift is held, where it is permitted otherwise', async () => {
    const policies = `@id("all") ${ANY};\n${HOLD}`;
    assert.deepEqual(decide(policies, call({ n: 101 })), {
      effect: 'permit',
      rules: ['big (a.cedar:2)', 'all (a.cedar:1)'],
      obligations: [{ kind: 'hold', group: 'finance' }],
    });
    assert.deepEqual(decide(policies, call({ n: 100 })).effect, 'permit');
  });

  test('a hold permits nothing by itself, and gives way to a plain forbid', async () => {
    assert.equal(decide(HOLD, call({ n: 101 })).effect, 'silence');
    const forbidden = `${ANY};\n${HOLD}\nforbid (principal, action, resource) when { context.args has n };`;
    assert.deepEqual(decide(forbidden, call({ n: 101 })), { effect: 'forbid', rules: ['a.cedar:3'] });
  });

  test('a hold that cannot be evaluated forbids', async () => {
    const policies = `${ANY};\n@hold("x") forbid (principal, action, resource) when { context.args.n > 1 };`;
    assert.equal(decide(policies, call({})).effect, 'forbid');
  });

  test('orders of all permits that apply are joined, each once', async () => {
    const policies = `@redact("email, iban") @notify("ops") ${ANY};\n@redact("email") @mask("phone") ${ANY};`;
    const decision = decide(policies, call({}));
    assert.deepEqual(decision.effect === 'permit' && decision.obligations, [
      { kind: 'redact', what: 'email' },
      { kind: 'redact', what: 'iban' },
      { kind: 'notify', whom: 'ops' },
      { kind: 'mask', what: 'phone' },
    ]);
  });

  test('answers are cut as the permits of the call order, and policies about releases may refuse them', async () => {
    const policies = `@redact("email") ${ANY};
      forbid (principal, action == Action::"release", resource) when { context.run.labels.contains("source:hr") };`;
    const { policy, close } = await world({ 'a.cedar': policies });
    const question = call({});
    assert.deepEqual(policy.release(question).effect, 'permit');
    const released = policy.release(question);
    assert.deepEqual(released.effect === 'permit' && released.obligations, [{ kind: 'redact', what: 'email' }]);
    assert.equal(policy.release({ ...question, labels: ['source:hr'] }).effect, 'forbid');
    assert.equal((await policy.decide({ ...question, labels: ['source:hr'] })).effect, 'permit');
    await close();
  });
});

describe('cedar: who, when, from where', () => {
  test('principals are found by agent, person, group, role and tenant, and by nothing that only looks like them', async () => {
    const scopes = [
      '== Agent::"alpha"',
      'in Person::"ada"',
      'in Group::"analysts"',
      'in Role::"r"',
      'in Tenant::"default"',
    ];
    const settings = { roles: { r: { people: ['ada'] } } };
    for (const scope of scopes) {
      const policies = `permit (principal ${scope}, action, resource);`;
      assert.equal(decide(policies, call({}), settings).effect, 'permit', scope);
      const other = samplePrincipal('Ada', {
        agent: 'alpha ',
        person: 'Ada',
        groups: ['Analysts', 'x'],
        tenant: 'Default',
      });
      assert.equal(decide(policies, { ...call({}), principal: other }, settings).effect, 'silence', scope);
    }
  });

  test('a bare subject is one of its issuer, whatever characters either holds', async () => {
    const policies = 'permit (principal == Subject::"a%7Cb|c", action, resource);';
    const of = (issuer: string, subject: string) => ({ ...call({}), principal: samplePrincipal(subject, { issuer }) });
    assert.equal(decide(policies, of('a|b', 'c')).effect, 'permit');
    assert.equal(decide(policies, of('a', 'b|c')).effect, 'silence');
  });

  test('time is that of the configured zone, and calendars name its days', async () => {
    const policies = `${ANY} when { context.time.hour == 0 && context.time.weekday == 5 && context.time.date == "2026-12-25"
      && context.time.minutes == 30 && context.time.calendars.contains("holidays") };`;
    const settings = { zone: 'Europe/Berlin', calendars: { holidays: ['2026-12-25'] } };
    const at = Date.parse('2026-12-24T23:30:00Z');
    assert.equal(decide(policies, { ...call({}), at }, settings).effect, 'permit');
    assert.equal(decide(policies, { ...call({}), at }).effect, 'silence');
  });

  test('networks are those of the caller; without an address the question whether there is one says no', async () => {
    const policies = `${ANY} when { context.network has ip && context.network.ip.isInRange(ip("10.0.0.0/8")) };`;
    const from = async (peer: string | undefined) => decide(policies, { ...call({}), peer }).effect;
    assert.equal(await from('10.1.2.3'), 'permit');
    assert.equal(await from('::ffff:10.1.2.3'), 'permit');
    for (const peer of ['11.1.2.3', '::1', 'socket', undefined, 'fe80::1%eth0', '10.1.2.3/8'])
      assert.equal(await from(peer), 'silence', String(peer));
  });
});

describe('cedar: lists', () => {
  const listing = (path: string): Question => ({ ...calling(path), params: undefined });

  test('what is denied with any arguments is not listed, what some arguments permit is', async () => {
    const policies = `
      permit (principal in Group::"analysts", action == Action::"tool.call", resource == Tool::"db/read")
        when { context.args.table == "customers" && context.risk < 50 };
      permit (principal, action == Action::"tool.call", resource == Tool::"db/drop") when { context.args.sure };
      forbid (principal, action == Action::"tool.call", resource == Tool::"db/drop");`;
    assert.equal(decide(policies, listing('db/read')).effect, 'permit');
    assert.equal(decide(policies, { ...listing('db/read'), risk: 50 }).effect, 'silence');
    assert.equal(decide(policies, listing('db/drop')).effect, 'forbid');
    assert.equal(decide(policies, listing('db/other')).effect, 'silence');
  });

  test('a request without parameters that is no question of a list is decided exactly', async () => {
    const policies = `${ANY} when { context.args.x == 1 };`;
    assert.equal(decide(policies, { ...call({}), action: 'tool.list', params: undefined }).effect, 'forbid');
  });

  test('what waits for a person is listed', async () => {
    const policies = `${ANY};\n@hold("x") forbid (principal, action, resource);`;
    assert.equal(decide(policies, listing('db/read')).effect, 'permit');
  });
});

test('agents are told apart: one may, another of the same person may not', async () => {
  const policies = 'permit (principal in [Agent::"alpha", Agent::"beta"], action, resource);';
  assert.throws(() => decide(policies, call({})), /a\.cedar:1/);
  const each = 'permit (principal, action, resource) when { principal in [Agent::"alpha", Agent::"beta"] };';
  const as = (agent: string) => ({ ...call({}), principal: { ...analyst, agent } });
  assert.equal(decide(each, as('beta')).effect, 'permit');
  assert.equal(decide(each, as('gamma')).effect, 'silence');
});
