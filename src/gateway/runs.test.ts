import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { verifies } from '../../test/verifies.ts';
import type { Question } from '../components/policy/policy.ts';
import { sampleExchange, samplePrincipal } from '../components/samples.ts';
import { manualClock } from '../lib/clock.ts';
import type { Exchange } from './exchange.ts';
import { fate, hang, permitAll, result, testHouse } from './house.fixture.ts';
import type { Principal } from './principal.ts';
import { Runs } from './runs.ts';

const MINUTE = 60_000;
const ada = samplePrincipal('ada');
const inRun = (run: string, principal: Principal = ada): Exchange => sampleExchange({ run, principal });

function begun() {
  const clock = manualClock();
  return { clock, runs: new Runs(clock, () => ({ idle: 30 * MINUTE, claims: ['sid'] })) };
}

describe('a run', () => {
  verifies('run.unforgeable', 'is not split by anything that the agent says of itself', async () => {
    const test = await testHouse();
    const meta = (more: object) => ({ name: 'files.read', _meta: { ...VERSION, ...more } });
    const said = [
      meta({}),
      meta({ traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }),
      meta({ 'openai/session': 'another conversation' }),
      meta({ run: 'mine', sid: 'mine' }),
    ];
    for (const params of said) await test.send('tools/call', params).over;
    assert.equal(new Set(test.calls.map(({ exchange }) => exchange.run)).size, 1);
    assert.deepEqual(
      test.calls.map(({ exchange }) => exchange.recording),
      [undefined, 'trace:0af7651916cd43dd8448eb211c80319c', 'conversation:another conversation', undefined],
    );
  });

  verifies('run.unforgeable', 'is split by a claim of the proof, and by a session, and by nothing else', () => {
    const { runs } = begun();
    const claiming = (claims: Principal['claims'], subject = 'ada') =>
      runs.of(samplePrincipal(subject, claims ? { claims } : {}), undefined);
    const known = [
      claiming(undefined),
      claiming({ sid: 'a' }),
      claiming({ sid: 'b' }),
      claiming({ sid: 'a' }, 'bob'),
      runs.of(ada, 'session'),
    ];
    assert.equal(new Set(known).size, known.length);
    for (const claims of [{ jti: 'x' }, { sid: '' }, { sid: 7 }, { sid: ['a'] }]) {
      assert.equal(claiming(claims), known[0], JSON.stringify(claims));
    }
    assert.equal(claiming({ sid: 'a', jti: 'x' }), known[1]);
  });

  test('begins anew when its principal was idle for so long, and not a moment before', () => {
    const { runs, clock } = begun();
    const first = runs.of(ada, undefined);
    runs.saw(inRun(first), 'source:files');
    clock.advance(30 * MINUTE - 1);
    assert.equal(runs.of(ada, undefined), first);
    clock.advance(30 * MINUTE);
    const second = runs.of(ada, undefined);
    assert.notEqual(second, first);
    assert.deepEqual([runs.labels(first), runs.labels(second)], [['source:files'], []]);
  });

  test('is not idle while answers come', () => {
    const { runs, clock } = begun();
    const run = runs.of(ada, undefined);
    for (let time = 0; time < 4; time += 1) {
      clock.advance(20 * MINUTE);
      runs.saw(inRun(run), 'source:files');
    }
    assert.equal(runs.of(ada, undefined), run);
  });

  verifies('run.labelled', 'that began while an answer was under way knows the label of the answer', () => {
    const { runs, clock } = begun();
    const old = runs.of(ada, undefined);
    clock.advance(31 * MINUTE);
    const now = runs.of(ada, undefined);
    runs.saw(inRun(old), 'source:mail');
    assert.deepEqual([runs.labels(old), runs.labels(now)], [['source:mail'], ['source:mail']]);
    runs.saw(inRun('session:s'), 'source:web');
    assert.deepEqual(runs.labels(now), ['source:mail']);
  });

  test('keeps its labels while a stranger opens run after run', () => {
    const { runs } = begun();
    runs.saw(inRun('session:ada'), 'source:files');
    const eve = samplePrincipal('eve');
    for (let index = 0; index < 5_000; index += 1) runs.saw(inRun(`session:eve-${index}`, eve), 'source:web');
    assert.deepEqual(runs.labels('session:ada'), ['source:files']);
    assert.deepEqual(runs.labels('session:eve-0'), []);
    assert.deepEqual(runs.labels('session:eve-4999'), ['source:web']);
  });

  test('of a session ends with it, and takes no label of another one or of the principal along', () => {
    const { runs } = begun();
    const of = [runs.of(ada, 'one'), runs.of(ada, 'two'), runs.of(ada, undefined)];
    for (const run of of) runs.saw(inRun(run), 'source:files');
    runs.ended('one');
    assert.deepEqual(
      of.map((run) => runs.labels(run)),
      [[], ['source:files'], ['source:files']],
    );
  });

  test('says what first brought each of its labels', () => {
    const { runs, clock } = begun();
    const first = clock.now();
    runs.saw({ ...inRun('r'), id: 'one' }, 'source:files');
    clock.advance(5);
    runs.saw({ ...inRun('r'), id: 'two' }, 'source:files');
    assert.deepEqual(runs.origins('r'), [{ label: 'source:files', exchange: 'one', server: 'files', at: first }]);
    assert.deepEqual(runs.origins('unknown'), []);
  });
});

const VERSION = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };

describe('what a run has done', () => {
  verifies(
    'run.counted',
    'is told to policy before the next call: calls, refusals, bytes, by server and tool',
    async () => {
      const asked: Question['counters'][] = [];
      const policy = {
        ...permitAll,
        decide: (question: Question) => (asked.push(question.counters), decided(question)),
      };
      const decided = ({ resource }: Question) =>
        resource.name === 'forbidden'
          ? ({ effect: 'forbid', rules: ['no'] } as const)
          : ({ effect: 'permit', rules: ['yes'], obligations: [] } as const);
      const test = await testHouse({ parts: { policy } });
      test.script = ({ outlet }) => outlet.close(result('tools/call', { content: [] }));
      for (const name of ['files.read', 'files.read', 'files.forbidden', 'web.read', 'files.read']) {
        await test.send('tools/call', { name }).over;
      }
      const counts = asked.map((one) => one && [one.calls, one.denials, one.ofServer, one.ofTool]);
      assert.deepEqual(counts, [
        [0, 0, 0, 0],
        [1, 0, 1, 1],
        [2, 0, 2, 0],
        [2, 1, 0, 0],
        [3, 1, 2, 2],
      ]);
      assert.ok(asked[1]!.bytes > 0 && asked[4]!.bytes > asked[1]!.bytes);
      assert.equal(asked[4]?.since, asked[1]?.since);
    },
  );

  test('counts a refused answer as a refusal, and an open call as a call', async () => {
    const policy = { ...permitAll, release: () => ({ effect: 'silence' }) as const };
    const test = await testHouse({ parts: { policy } });
    const { runs } = test.house;
    assert.equal(await fate(test.send('tools/call', { name: 'files.read' })), 'release_refused');
    const { run } = test.calls[0]!.exchange;
    assert.deepEqual([runs.counters(run).calls, runs.counters(run).denials], [1, 1]);
    test.script = hang;
    await test.send('tools/call', { name: 'files.read' }).handling.crossed;
    assert.equal(runs.counters(run).calls, 2);
  });

  test('is bounded: names beyond a thousand are not counted apart', () => {
    const { runs } = begun();
    for (let index = 0; index < 3_000; index += 1) {
      const target = { of: 'definition', server: 's', kind: 'tool', name: `t${index}`, definition: undefined } as const;
      runs.called({ ...inRun('r'), target });
    }
    assert.deepEqual(
      [runs.counters('r', 's', 't0').ofTool, runs.counters('r', 's', 't2999').ofTool, runs.counters('r', 's').ofServer],
      [1, 0, 3_000],
    );
  });
});
