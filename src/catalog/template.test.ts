import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import fc from 'fast-check';
import { uriTemplate } from './template.ts';

function matches(template: string, uri: string): boolean {
  return uriTemplate(template)?.matches(uri) ?? false;
}

test('a template does not match what it cannot have made', () => {
  assert.equal(matches('file:///{name}', 'file:///a/b'), false);
  assert.equal(matches('file:///{name}', 'file:///'), false);
  assert.equal(matches('a://{x}/end', 'a://1/end/more'), false);
  assert.equal(matches('a://{x}', 'b://1'), false);
});

test('what is no template, or too large a one, matches nothing', () => {
  for (const broken of ['a://{', 'a://}', 'a://{x', 'a://{x y}', 'a://{}', 'a://{=x}', 'a://{!x}']) {
    assert.equal(uriTemplate(broken), undefined, broken);
  }
  assert.equal(uriTemplate('x'.repeat(2_000)), undefined);
  assert.equal(uriTemplate('{a}'.repeat(17)), undefined);
  assert.equal(matches('{+x}', 'x'.repeat(3_000)), false);
});

test('expressions of RFC 6570 match what they make', () => {
  assert.ok(matches('test://static', 'test://static'));
  assert.ok(matches('test://template/{id}/data', 'test://template/123/data'));
  assert.ok(matches('file:///{+path}', 'file:///a/b/c.txt'));
  assert.ok(matches('x://{a}-{b}', 'x://1-2-3'));
  assert.ok(matches('x://q{?a,b}', 'x://q'));
  assert.ok(matches('x://q{?a,b}', 'x://q?a=1&b=2'));
  assert.ok(matches('x://p{/seg}', 'x://p/one'));
  assert.ok(matches('x://p{/seg*}', 'x://p/one/two'));
  assert.ok(matches('x://f{.ext}', 'x://f.json'));
  assert.ok(matches('x://f{#part}', 'x://f#top'));
  assert.ok(matches('db://{schema}/{table}{?limit}', 'db://main/users?limit=5'));
});

test('a value always matches the template that it was put into', () => {
  const value = fc.string({ unit: fc.constantFrom('a', 'b', '-', 'x'), minLength: 1, maxLength: 12 });
  const literal = fc.string({ unit: fc.constantFrom('a', 'b', '-', '/'), maxLength: 5 });
  fc.assert(
    fc.property(fc.array(fc.tuple(literal, value), { minLength: 1, maxLength: 6 }), literal, (parts, end) => {
      const template = parts.map(([text], index) => `${text}{v${index}}`).join('') + end;
      const uri = parts.map(([text, filled]) => text + filled).join('') + end;
      assert.ok(matches(template, uri));
    }),
  );
});

test('hostile templates and URIs cost no more than friendly ones', () => {
  const template = uriTemplate(`${'{+a}aaaa'.repeat(16)}b`);
  const long = uriTemplate(`{+a}${'a'.repeat(900)}b`);
  const uri = 'a'.repeat(2_048);
  const begun = performance.now();
  for (let i = 0; i < 20; i++) assert.equal((template?.matches(uri) ?? true) || (long?.matches(uri) ?? true), false);
  assert.ok(performance.now() - begun < 500);
});
