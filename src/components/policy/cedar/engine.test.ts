import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine, type Chunk, type Request } from './engine.ts';
import { freshCedar, type Cedar } from './wasm.ts';

const request: Request = {
  principal: { uid: { type: 'Agent', id: 'a' }, parents: [] },
  action: { uid: { type: 'Action', id: 'tool.call' }, parents: [] },
  resource: { uid: { type: 'Tool', id: 's/t' }, parents: [] },
  context: {},
};

function chunk(name: string, policy = 'permit (principal, action, resource);'): Chunk {
  return { key: name, policies: { [`${name}:0`]: policy }, prefix: `${name}:` };
}

/** The same engine, and what it was asked. */
function watched(): { cedar: Cedar; prepared: string[]; break: { next: boolean } } {
  const real = freshCedar();
  const prepared: string[] = [];
  const trap = { next: false };
  const cedar: Cedar = {
    ...real,
    preparsePolicySet: (id, policies) => {
      prepared.push(id);
      return real.preparsePolicySet(id, policies);
    },
    statefulIsAuthorized: (call) => {
      if (trap.next) throw new Error('memory access out of bounds');
      return real.statefulIsAuthorized(call);
    },
  };
  return { cedar, prepared, break: trap };
}

test('an engine that traps decides nothing, and a fresh one takes its place', () => {
  const instances = [watched(), watched()];
  let made = 0;
  const engine = new Engine(() => instances[made++]!.cedar);
  assert.equal(engine.evaluate(chunk('v1'), request).ok, true);
  instances[0]!.break.next = true;
  assert.equal(engine.evaluate(chunk('v1'), request).ok, false);
  assert.equal(engine.holds(chunk('v1')), false);
  assert.deepEqual(engine.evaluate(chunk('v1'), request), { ok: true, allow: true, reasons: ['v1:0'], errors: [] });
  assert.deepEqual([made, engine.restarts], [2, 1]);
});

test('an engine that cannot be made decides nothing', () => {
  const engine = new Engine(() => {
    throw new Error('no memory');
  });
  assert.equal(engine.evaluate(chunk('v1'), request).ok, false);
});

test('places are used again, so that memory that cannot be freed stays bounded', () => {
  const { cedar, prepared } = watched();
  const engine = new Engine(() => cedar, 2);
  for (const name of ['a', 'b', 'a', 'c', 'b', 'd', 'a']) {
    const answer = engine.evaluate(chunk(name), request);
    assert.deepEqual(answer.ok && answer.reasons, [`${name}:0`]);
  }
  assert.deepEqual(prepared, ['0', '1', '1', '0', '1', '0']);
});

test('policies of another version are never believed', () => {
  const { cedar } = watched();
  const stale: Cedar = {
    ...cedar,
    preparsePolicySet: (id) => cedar.preparsePolicySet(id, { staticPolicies: chunk('v1').policies }),
  };
  const engine = new Engine(() => stale);
  assert.equal(engine.evaluate(chunk('v2'), request).ok, false);
});

test('what the engine does not take decides nothing', () => {
  const engine = new Engine();
  assert.equal(engine.evaluate(chunk('v1', 'permit (principal'), request).ok, false);
  assert.equal(engine.evaluate(chunk('v1'), { ...request, context: { a: null } }).ok, false);
  assert.equal(engine.evaluate(chunk('v1'), request).ok, true);
});
