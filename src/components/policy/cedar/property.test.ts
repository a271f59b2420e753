/** Against the engine asked the plain way, with all policies and the whole context: slices, projection and lists change no answer. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'node:test';
import { isObject, type JsonObject } from '../../../gateway/document.ts';
import { samplePrincipal } from '../../samples.ts';
import type { Question } from '../policy.ts';
import { calendarOf } from './calendar.ts';
import { compileAll } from './compile.ts';
import { project } from './context.ts';
import { Engine } from './engine.ts';
import { exact, listed, released, type Judged } from './judge.ts';
import { actionEntity, principalEntity, resourceEntity, type Entity } from './mapping.ts';
import { Slices } from './slices.ts';
import { freshCedar } from './wasm.ts';
import { calling } from './world.fixture.ts';

const pick = (...values: readonly string[]) => fc.constantFrom(...values);
const principals = pick(
  'principal',
  'principal == Agent::"a"',
  'principal in Group::"g"',
  'principal in Group::"h"',
  'principal is Agent in Group::"g"',
  'principal is Person',
);
const actions = pick(
  'action',
  'action == Action::"tool.call"',
  'action in Action::"tool"',
  'action in [Action::"tool.call", Action::"release"]',
  'action == Action::"prompt.get"',
);
const resources = pick(
  'resource',
  'resource == Tool::"s/t"',
  'resource in Server::"s"',
  'resource is Tool',
  'resource == Tool::"s/u"',
  'resource is Tool in Server::"r"',
);
const atoms = pick(
  'context.args.x == 1',
  'context.args has x && context.args.x > 0',
  'context.args has y.z',
  'context.args has y && context.args.y.z == "q"',
  'context.args has list && context.args.list.contains("q")',
  'context.facts has f && context.facts.f == "q"',
  'context.risk < 50',
  'context.run.labels.contains("l")',
  'context.time.hour > 11',
  'principal in Group::"h"',
  'resource == Tool::"s/u"',
  'context.args == {"x": 1}',
);
const expressions: fc.Arbitrary<string> = fc.oneof(
  atoms,
  fc.tuple(atoms, pick('&&', '||'), atoms).map(([left, op, right]) => `(${left}) ${op} (${right})`),
  atoms.map((atom) => `!(${atom})`),
);
const clauses = fc.array(fc.tuple(pick('when', 'unless'), expressions), { maxLength: 2 });
const policy = fc
  .tuple(pick('permit', 'permit', 'forbid'), principals, actions, resources, clauses)
  .map(([effect, ...scope]) => {
    const written = scope.pop() as [string, string][];
    return `${effect} (${scope.join(', ')}) ${written.map(([kind, body]) => `${kind} { ${body} }`).join(' ')};`;
  });
const sets = fc.array(policy, { minLength: 1, maxLength: 7 });

const value = fc.constantFrom(1, 0, 'q', null, 1.5, ['q'], { z: 'q' }, { z: 1 });
const args = fc.dictionary(pick('x', 'y', 'list', 'other'), value, { maxKeys: 4, noNullPrototype: true });
const questions: fc.Arbitrary<Question> = fc
  .record({
    tool: pick('s/t', 's/u', 'r/t'),
    groups: fc.subarray(['g', 'h', 'k']),
    agent: pick('a', 'b'),
    args,
    risk: fc.constantFrom(0, 50, 51),
    labels: fc.subarray(['l', 'm']),
    fact: pick('q', 'r'),
    at: fc.constantFrom(Date.UTC(2026, 0, 1, 9), Date.UTC(2026, 0, 1, 15)),
  })
  .map(({ tool, groups, agent, args: given, risk, labels, fact, at }) => {
    const principal = samplePrincipal('p', { agent, groups });
    return calling(tool, given as JsonObject, { principal, risk, labels, facts: { f: fact }, at });
  });

const moment = calendarOf({ zone: 'UTC', days: {} });
const engine = new Engine();
const plain = freshCedar();
let version = 0;

function judgedBy(policies: readonly string[]): Judged {
  const { rules, problems } = compileAll([{ file: 'p', text: policies.join('\n') }]);
  assert.deepEqual(problems, []);
  return { slices: new Slices(rules, (version += 1), {}), engine, moment };
}

function sliceOf({ principal, action, resource }: Question, judged: Judged) {
  return judged.slices.of(principal, action, resource);
}

/** What the engine says when it is given everything that it can hold; undefined where it can not. */
function oracle(policies: readonly string[], question: Question): string | undefined {
  const projected = project(question, { whole: true, children: new Map() }, moment);
  if (!projected.ok) return undefined;
  const [principal, action, resource] = [
    principalEntity(question.principal, {}),
    actionEntity(question.action),
    resourceEntity(question.resource),
  ];
  const json = ({ uid, parents }: Entity) => ({
    uid: { ...uid },
    attrs: {},
    parents: parents.map((one) => ({ ...one })),
  });
  const answer = plain.isAuthorized({
    principal: { ...principal.uid },
    action: { ...action.uid },
    resource: { ...resource.uid },
    context: projected.context,
    policies: { staticPolicies: policies.join('\n') },
    entities: [principal, action, resource].map(json),
  });
  if (answer.type === 'failure') return undefined;
  const { decision, diagnostics } = answer.response;
  if (diagnostics.errors.length > 0) return 'forbid';
  return decision === 'allow' ? 'permit' : diagnostics.reason.length > 0 ? 'forbid' : 'silence';
}

const RUNS = { numRuns: 80 };

test('slices and projection change no decision of the engine, but for values that nobody reads', () => {
  fc.assert(
    fc.property(sets, questions, (policies, question) => {
      const expected = oracle(policies, question);
      if (expected === undefined) return;
      const judged = judgedBy(policies);
      assert.equal(exact(question, sliceOf(question, judged), judged).effect, expected);
    }),
    RUNS,
  );
});

test('what a projection leaves out changes no decision: with other unread arguments the answer is the same', () => {
  fc.assert(
    fc.property(sets, questions, value, (policies, question, other) => {
      const judged = judgedBy(policies);
      const slice = sliceOf(question, judged);
      if (slice.reads.children.get('args')?.whole) return;
      const given = question.params?.['arguments'];
      const more: JsonObject = { ...(isObject(given) ? given : {}), unread: other as JsonObject[string] };
      const again = { ...question, params: { ...question.params, arguments: more } };
      assert.deepEqual(exact(again, slice, judged), exact(question, slice, judged));
    }),
    RUNS,
  );
});

test('what is hidden is denied with any arguments and facts; what is permitted is listed', () => {
  fc.assert(
    fc.property(sets, questions, (policies, question) => {
      const judged = judgedBy(policies);
      const slice = sliceOf(question, judged);
      const list = listed({ ...question, params: undefined, facts: {} }, slice, judged).effect;
      const decided = exact(question, slice, judged).effect;
      if (list !== 'permit') assert.notEqual(decided, 'permit');
    }),
    { numRuns: 160 },
  );
});

test('what no argument and no fact can change is listed exactly when it is permitted', () => {
  fc.assert(
    fc.property(sets, questions, (policies, question) => {
      const known = policies.filter((one) => !/args|facts/.test(one));
      const judged = judgedBy(known);
      const slice = sliceOf(question, judged);
      const list = listed({ ...question, params: undefined }, slice, judged).effect;
      assert.equal(list, exact(question, slice, judged).effect);
    }),
    RUNS,
  );
});

test('nothing is released to whom everything is denied', () => {
  fc.assert(
    fc.property(sets, questions, (policies, question) => {
      const judged = judgedBy(policies);
      const slice = sliceOf(question, judged);
      const list = listed({ ...question, params: undefined }, slice, judged).effect;
      if (list !== 'permit') assert.notEqual(released(question, slice, judged).effect, 'permit');
    }),
    RUNS,
  );
});
