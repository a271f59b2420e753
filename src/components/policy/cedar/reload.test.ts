import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe, test } from 'node:test';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { calling, world, type World } from './world.fixture.ts';

const PERMIT = 'permit (principal, action, resource);';

/** Waits until something is logged that says so. */
async function logged({ logged: lines }: World, what: RegExp): Promise<void> {
  const end = Date.now() + 20_000;
  while (!lines.some((line) => what.test(line))) {
    assert.ok(Date.now() < end, `nothing was logged like ${what.source}: ${lines.join('\n')}`);
    await wait(10);
  }
}

describe('cedar: a set is put in force as a whole, or not at all', () => {
  test('cases with other answers than expected keep a set from being loaded', async () => {
    const cases = `
- name: anybody may read
  as: { agent: a }
  call: db/read
  expect: permit
- name: writing waits
  as: { agent: a }
  call: db/write
  expect: { effect: hold, orders: hold dba }
`;
    const held = '@id("dba") @hold("dba") forbid (principal, action, resource == Tool::"db/write");';
    await (await world({ 'a.cedar': `${PERMIT}\n${held}`, 'a.yaml': cases })).close();
    await assert.rejects(
      world({ 'a.cedar': PERMIT, 'a.yaml': cases }),
      /a\.yaml:6 "writing waits": expected hold with hold dba, found permit by a\.cedar:1/,
    );
    await assert.rejects(
      world({ 'a.cedar': PERMIT, 'b.yaml': '- { name: x, as: {}, cal: y, expect: permit }' }),
      /b\.yaml:1:3 /,
    );
  });

  test('a changed file is in force; one with a fault is told, and the set before stays', async () => {
    const made = await world({ 'a.cedar': PERMIT });
    const effect = async () => (await made.policy.decide(calling('db/read'))).effect;
    const before = made.policy.epoch();
    made.logged.length = 0;
    made.write('a.cedar', 'permit (principal, action, resource');
    await logged(made, /the ones before stay in force.*a\.cedar:1/);
    assert.deepEqual(
      [await effect(), made.policy.epoch(), made.policy.health?.().state],
      ['permit', before, 'degraded'],
    );
    made.logged.length = 0;
    made.write('a.cedar', 'forbid (principal, action, resource);');
    await logged(made, /policies are in force/);
    assert.deepEqual([await effect(), made.policy.health?.().state], ['forbid', 'live']);
    assert.ok(made.policy.epoch() > before);
    await made.close();
  });

  test('a file that is new, or gone, changes the set as well', async () => {
    const made = await world({ 'a.cedar': PERMIT });
    const effect = async () => (await made.policy.decide(calling('db/read'))).effect;
    made.logged.length = 0;
    made.write('b.cedar', 'forbid (principal, action, resource);');
    await logged(made, /policies are in force/);
    assert.equal(await effect(), 'forbid');
    made.logged.length = 0;
    rmSync(join(made.folder, 'b.cedar'));
    await logged(made, /policies are in force/);
    assert.equal(await effect(), 'permit');
    await made.close();
  });
});

describe('cedar: strict validation', () => {
  const tools = {
    'db/read': {
      type: 'object',
      required: ['table'],
      properties: {
        table: { type: 'string' },
        limit: { type: 'integer' },
        'Content-Type': { type: ['string', 'null'] },
        where: { type: 'object', properties: { id: { type: 'integer' } } },
        any: {},
      },
    },
    'db/odd tool-name.x': { type: 'object', properties: { 'we ird': { type: 'string' } } },
  };
  const of = (condition: string, tool = 'db/read') =>
    world(
      {
        'a.cedar': `permit (principal, action == Action::"tool.call", resource == Tool::"${tool}")\n  when { ${condition} };`,
      },
      { tools },
    );

  const WRONG: readonly [string, RegExp][] = [
    ['context.args.tabel == "x"', /a\.cedar:2:\d+ .*tabel.*did you mean `table`.*\(arguments of db\/read\)/s],
    ['context.args.table == 1', /a\.cedar:2:\d+ .*\(arguments of db\/read\)/s],
    ['context.args.limit > 1', /a\.cedar:2:\d+ .*limit/s],
    ['context.args.where.id == 1', /a\.cedar:2:\d+ .*where/s],
  ];
  for (const [condition, message] of WRONG)
    test(`refused with its place: ${condition}`, () => assert.rejects(of(condition), message));

  const RIGHT: readonly [string, string?][] = [
    ['context.args.table == "x"'],
    ['context.args has limit && context.args.limit > 1'],
    ['context.args has "Content-Type" && context.args["Content-Type"] like "*json"'],
    ['context.args has where.id && context.args.where.id == 1'],
    ['context.args has any && context.args.any == "x"'],
    ['context.args has "we ird" && context.args["we ird"] == "x"', 'db/odd tool-name.x'],
    ['context.facts.sqlVerbs == ["select"] && context.time.hour < 18 && context.network has ip'],
  ];
  for (const [condition, tool] of RIGHT) test(`taken: ${condition}`, async () => (await of(condition, tool)).close());

  test('a tool that was never seen is told with the one that was meant, and refused where the settings are strict', async () => {
    const policies = { 'a.cedar': 'permit (principal, action, resource == Tool::"db/reed");' };
    const made = await world(policies, { tools });
    assert.ok(made.logged.some((line) => /no tool .*db\/reed.* is known, did you mean .*db\/read/.test(line)));
    await made.close();
    await assert.rejects(world(policies, { tools, settings: { strict: true } }), /no tool "db\/reed" is known/);
  });
});
