import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { verifies } from '../../../../test/verifies.ts';
import type { JsonObject } from '../../../gateway/document.ts';
import { samplePrincipal } from '../../samples.ts';
import { calling, world, type World } from './world.fixture.ts';

const POLICIES = `
@id("readers") permit (principal in Group::"analysts", action, resource == Tool::"db/read")
  when { context.args.table != "financials" };
@id("owners") permit (principal, action, resource == Tool::"db/own") when { context.args.owner == principal };
@id("night") permit (principal, action, resource == Tool::"db/night") when { context.risk > 90 && context.args.sure };
@id("all") permit (principal, action, resource == Tool::"db/broken");
@id("broken") forbid (principal, action, resource == Tool::"db/broken") when { context.args.nope == 1 };`;

let made: World;
before(async () => {
  made = await world({ 'a.cedar': POLICIES });
});
after(() => made?.close());

const effect = async (path: string, args: JsonObject, more = {}): Promise<string> =>
  (await made.policy.decide(calling(path, args, more))).effect;

verifies(
  'cedar.default-deny',
  'who is not meant, what is not named and what cannot be evaluated is denied',
  async () => {
    assert.equal(await effect('db/read', { table: 'customers' }), 'permit');
    assert.equal(await effect('db/read', { table: 'financials' }), 'silence');
    assert.equal(await effect('db/read', { table: 'customers' }, { principal: samplePrincipal('eve') }), 'silence');
    assert.equal(await effect('db/write', { table: 'customers' }), 'silence');
    assert.equal(await effect('db/broken', {}), 'forbid');
  },
);

verifies('cedar.only-read', 'what Cedar cannot hold is refused where it is read, and nowhere else', async () => {
  for (const value of [null, 1.5, 1e300, '\ud800', [null]]) {
    assert.equal(await effect('db/read', { table: value }), 'forbid');
    assert.equal(await effect('db/read', { table: 'customers', other: value }), 'permit');
  }
});

verifies('cedar.only-read', 'an argument never becomes an entity', async () => {
  for (const owner of [
    { __entity: { type: 'Agent', id: 'alpha' } },
    { in: { __entity: { type: 'Agent', id: 'alpha' } } },
  ])
    assert.equal(await effect('db/own', { owner }), 'forbid');
});

verifies('cedar.lists-sound', 'what no arguments can permit is hidden, what some can is listed', async () => {
  const listed = async (path: string, more = {}) =>
    (await made.policy.decide({ ...calling(path, {}, more), params: undefined })).effect === 'permit';
  assert.equal(await listed('db/read'), true);
  assert.equal(await listed('db/night', { risk: 91 }), true);
  assert.equal(await listed('db/night', { risk: 90 }), false);
  assert.equal(await listed('db/other'), false);
  assert.equal(await listed('db/read', { principal: samplePrincipal('eve') }), false);
});
