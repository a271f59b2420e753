/** Whatever a server sends, in whatever order: each call hears of itself only, and ends once (law 10). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exchange, LIMITS } from '../../../test/fixtures/upstream/kit.ts';
import type { Message } from '../../gateway/exchange.ts';
import type { Call, Sink } from './connection.ts';
import { Switchboard } from './switchboard.ts';

/** The gateway's own ids count from 1; the rest is what one of them becomes in careless hands. */
const NAMES = [
  '1',
  '2',
  '3',
  '4',
  '"1"',
  '"2"',
  '01',
  '1.0',
  '1e0',
  '-1',
  '0',
  'null',
  '9007199254740993',
  '"\\u0031"',
];
const STEP = fc.oneof(
  fc.record({ what: fc.constant('open'), token: fc.option(fc.constantFrom('1', '"1"', '9007199254740993')) }),
  fc.record({
    what: fc.constantFrom('result', 'error', 'progress', 'ask', 'cancelled', 'log'),
    name: fc.constantFrom(...NAMES),
    carrier: fc.option(fc.nat(3)),
  }),
  fc.record({ what: fc.constant('forget'), carrier: fc.nat(3) }),
);
type Step = typeof STEP extends fc.Arbitrary<infer S> ? S : never;

interface Heard {
  readonly call: Call;
  readonly token: string | undefined;
  readonly carried: Set<Message>;
  closings: Message[];
  fails: string[];
  events: Message[];
  asks: Message[];
}

test('each call hears of itself only and ends at most once, whatever ids a server makes up', () => {
  fc.assert(
    fc.property(fc.array(STEP as fc.Arbitrary<Step>, { maxLength: 24 }), (steps) => {
      const board = new Switchboard(LIMITS, {
        news: () => undefined,
        standing: () => undefined,
        reply: () => undefined,
        log: SILENT,
        server: 's',
      });
      const all: Heard[] = [];
      for (const step of steps) play(step, board, all);
      board.failAll('upstream_lost', 'over');
      for (const heard of all) judge(heard);
      const late = all.map(({ closings, fails, events }) => [closings.length, fails.length, events.length]);
      for (const { call } of all) void board.receive(textOf('result', call.id), call);
      assert.deepEqual(
        all.map(({ closings, fails, events }) => [closings.length, fails.length, events.length]),
        late,
        'nothing comes after the end',
      );
    }),
    { numRuns: 500 },
  );
});

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

function play(step: Step, board: Switchboard, all: Heard[]): void {
  if (step.what === 'open' && 'token' in step) return void all.push(opened(board, step.token ?? undefined));
  const carrier = 'carrier' in step && step.carrier !== null ? all[step.carrier]?.call : undefined;
  if (step.what === 'forget') return void (carrier && board.forget(carrier));
  if ('name' in step) void board.receive(textOf(step.what, step.name), carrier);
}

function opened(board: Switchboard, token: string | undefined): Heard {
  const heard: Omit<Heard, 'call'> = { token, carried: new Set(), closings: [], fails: [], events: [], asks: [] };
  const sink: Sink = {
    event: (message) => void heard.events.push(message),
    ask: (message) => void heard.asks.push(message),
    close: (message) => void heard.closings.push(message),
    fail: (reason) => void heard.fails.push(reason),
  };
  const asked = exchange({ server: 's', more: { progressToken: token } });
  return Object.assign(heard, { call: board.call('tools/call', sink, asked, undefined) });
}

function textOf(what: string, name: string): Buffer {
  switch (what) {
    case 'result':
      return Buffer.from(`{"jsonrpc":"2.0","id":${name},"result":{}}`);
    case 'error':
      return Buffer.from(`{"jsonrpc":"2.0","id":${name},"error":{"code":1,"message":"no"}}`);
    case 'ask':
      return Buffer.from(`{"jsonrpc":"2.0","id":${name},"method":"roots/list"}`);
    case 'cancelled':
      return Buffer.from(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${name}}}`);
    case 'progress':
      return Buffer.from(
        `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${name},"progress":1,"meant":${name}}}`,
      );
    default:
      return Buffer.from('{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}');
  }
}

function judge({ call, token, closings, fails, events }: Heard): void {
  assert.ok(closings.length + fails.length <= 1, 'one end');
  for (const { doc } of closings) assert.equal(spelt(doc.raw(['id'])), call.id);
  for (const { method, doc } of events) {
    if (method !== 'notifications/progress') continue;
    assert.equal(spelt(doc.raw(['params', 'meant'])), call.id, 'progress of another call');
    assert.equal(doc.raw(['params', 'progressToken']), token, 'the agent’s own token');
  }
}

function spelt(raw: string | undefined): string {
  return raw ?? '(none)';
}
