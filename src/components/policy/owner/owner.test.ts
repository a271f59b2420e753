import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sampleDeps, samplePrincipal, sampleQuestion } from '../../samples.ts';
import { policySuite } from '../policy.suite.ts';
import { owner } from './owner.ts';

async function begun(given: object = {}, servers: readonly string[] = ['files', 'git']) {
  return owner.create(owner.config.parse(given), sampleDeps('unused', { servers }));
}

const ada = samplePrincipal('ada', { groups: ['owner'] });

/** A question of the owner about something of this server. */
function about(server: string | undefined, kind: 'tool' | 'gateway' = 'tool') {
  const resource = { endpoint: { kind: 'joint' }, server, kind, name: 'read', definition: undefined } as const;
  return sampleQuestion({ principal: ada, resource });
}

policySuite('owner', async () => ({ part: await begun(), permitted: about('files'), refused: about('mail') }));

describe('owner', () => {
  test('a server that is not configured is not permitted, whatever its name', async () => {
    const part = await begun();
    for (const server of ['mail', '', 'Files', 'files ', '__proto__', 'constructor']) {
      assert.deepEqual(await part.decide(about(server)), { effect: 'silence' }, server);
      assert.deepEqual(part.release(about(server)), { effect: 'silence' }, server);
    }
  });

  test('a configured server that is not listed for the owner is not permitted', async () => {
    const part = await begun({ servers: ['git'] });
    assert.equal((await part.decide(about('files'))).effect, 'silence');
    assert.equal((await part.decide(about('git'))).effect, 'permit');
  });

  test('an empty list that was written down permits nothing at all', async () => {
    const part = await begun({ servers: [] });
    assert.equal((await part.decide(about(undefined, 'gateway'))).effect, 'silence');
    assert.equal(part.release(about(undefined, 'gateway')).effect, 'silence');
  });

  test('before any server is configured the owner may still ask the gateway itself', async () => {
    const part = await begun({}, []);
    assert.equal((await part.decide(about(undefined, 'gateway'))).effect, 'permit');
    assert.equal((await part.decide(about('files'))).effect, 'silence');
  });

  test('a group that only looks like the owner is not the owner', async () => {
    const part = await begun();
    for (const group of ['Owner', 'owners', 'owner ', ' owner', 'ow\u200bner']) {
      const principal = samplePrincipal('ada', { groups: [group] });
      assert.equal((await part.decide({ ...about('files'), principal })).effect, 'silence', group);
    }
  });

  test('the owner may use what the gateway itself answers', async () => {
    const part = await begun();
    assert.deepEqual(await part.decide(about(undefined, 'gateway')), {
      effect: 'permit',
      rules: ['owner'],
      obligations: [],
    });
  });
});
