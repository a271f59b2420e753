import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exposedName, LONGEST_NAME, mayBelong } from './names.ts';

const tricky = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
  fc.string({ unit: fc.constantFrom('a', 'b', '_', '-', '.', '0', 'v'), minLength: 1, maxLength: 30 }),
);

test('a server cannot choose a tool name that is shown as the tool of another server', () => {
  const plain = exposedName('a_b', 'x');
  const shadow = exposedName('a.b', 'x');
  assert.notEqual(plain, shadow);
  // the attack: name one's own tool as the gateway would show the other one's
  assert.notEqual(exposedName('a_b', shadow.slice('a_b__'.length)), shadow);
  assert.notEqual(exposedName('a', 'b__c'), exposedName('a__b', 'c'));
  assert.notEqual(exposedName('a', '_b'), exposedName('a_', 'b'));
});

test('two different definitions never get one name', () => {
  fc.assert(
    fc.property(tricky, tricky, tricky, tricky, (server, name, otherServer, otherName) => {
      fc.pre(server !== otherServer || name !== otherName);
      assert.notEqual(exposedName(server, name), exposedName(otherServer, otherName));
    }),
    { numRuns: 3_000 },
  );
});

test('every name fits what models and clients allow, and is found among its own server', () => {
  fc.assert(
    fc.property(tricky, tricky, (server, name) => {
      const exposed = exposedName(server, name);
      assert.match(exposed, /^[A-Za-z0-9_-]{1,48}$/);
      assert.ok(exposed.length <= LONGEST_NAME);
      assert.ok(mayBelong(exposed, server));
    }),
    { numRuns: 2_000 },
  );
});

test('the name stays what it is over restarts and versions', () => {
  assert.equal(exposedName('github', 'create_issue'), 'github__create_issue');
  assert.equal(exposedName('files', 'read.file'), 'files__read_file_fu8eqf5ver');
  assert.equal(exposedName('s', 'x'.repeat(128)).length, LONGEST_NAME);
});
