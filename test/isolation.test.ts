/**
 * Nobody's context is another's (law 10), over random interleavings: callers of two principals use the same ids and
 * progress tokens at servers that all of them share, and the servers double, swap and invent answers. Each request gets
 * exactly one closing, its own, and at the end nothing is held any more.
 */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { answered, WireAgent } from './fixtures/wire/agents.ts';
import type { Answer } from './fixtures/wire/agents.ts';
import { startInside } from './fixtures/wire/inside.ts';
import type { Inside } from './fixtures/wire/inside.ts';
import { wireServer } from './fixtures/wire/servers.ts';
import type { Asked, Era, Transport, WireServer } from './fixtures/wire/servers.ts';

const CALLERS = fileURLToPath(new URL('fixtures/callers.ts', import.meta.url));
const TRANSPORTS: readonly Transport[] = ['http', 'stdio'];
const ERAS: readonly Era[] = ['modern', 'legacy'];

/** Ids that are one to those who read them as doubles, or who forget their types. */
const IDS = [
  '1',
  '"1"',
  '2',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '123456789012345678901234567890',
  '123456789012345678901234567891',
  '""',
  '"a"',
];

/** What a server does with one call, or its agent. */
const FATES = ['answer', 'double', 'foreign', 'unknown', 'late', 'cancel', 'leave'] as const;

interface Step {
  readonly caller: number;
  readonly server: number;
  readonly id: string;
  readonly token: string;
  readonly fate: (typeof FATES)[number];
  /** Milliseconds until the server answers, until the agent gives up. */
  readonly takes: number;
}

const STEPS: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    caller: fc.nat(5),
    server: fc.nat(3),
    id: fc.constantFrom(...IDS),
    token: fc.constantFrom(...IDS),
    fate: fc.constantFrom(...FATES),
    takes: fc.nat(12),
  }),
  { minLength: 2, maxLength: 14 },
);

describe('callers who share their servers', { timeout: 120_000 }, () => {
  const started = new AsyncDisposableStack();
  const servers: WireServer[] = [];
  const plan = new Map<string, Step>();
  let gateway: Inside;

  before(async () => {
    const lists = { 'tools/list': () => '{"tools":[{"name":"do","inputSchema":{"type":"object"}}]}' };
    for (const transport of TRANSPORTS) {
      for (const era of ERAS) {
        const server = await wireServer(transport, era, { lists, call: (asked) => misbehave(asked, transport, plan) });
        servers.push(started.adopt(server, (one) => one.close()));
      }
    }
    const settings = servers.map(
      (server) => [`${server.transport}-${server.era}`, { ...server.settings, isolation: 'shared' }] as const,
    );
    gateway = await startInside({
      identity: [{ use: CALLERS }],
      // what is not given back is missed soon
      limits: [{ use: 'concurrency', perPrincipal: 24 }],
      servers: Object.fromEntries(settings),
    });
    started.defer(() => gateway.close());
  });
  after(() => started.disposeAsync());

  test('get each their own answer and nothing else, and everything is given back', async () => {
    const agents = await Promise.all(
      (['alice', 'bob'] as const).flatMap((name) =>
        [['modern'], ['legacy'], ['legacy']].map(async ([era]) => ({ name, agent: await agentOf(name, era as Era) })),
      ),
    );
    const idle = gateway.status();
    let answers = 0;
    let heard = 0;
    await fc.assert(
      fc.asyncProperty(STEPS, async (steps) => {
        plan.clear();
        const done = await Promise.all(
          steps.map((step, at) =>
            go(step, agents[step.caller]!, `${agents[step.caller]!.name}:${at}:${Math.random()}`),
          ),
        );
        for (const { step, tag, messages } of done) {
          if (step.fate === 'leave') continue;
          judge(step, tag, messages);
          if (messages.at(-1)!.includes('"result"')) answers += 1;
          heard += messages.length - 1;
        }
        await settled(
          () => gateway.status().open === idle.open && gateway.status().servers.every(({ inFlight }) => inFlight === 0),
        );
      }),
      { numRuns: 60, endOnFailure: true },
    );
    assert.ok(answers > 60 && heard > 60, `${answers} answers, ${heard} events`);
    for (const { agent } of agents) {
      if (agent.era === 'legacy') await answered(agent.request({}, 'DELETE').end());
    }
    await settled(() => gateway.status().open === 0 && gateway.status().sessions === 0);
  });

  test('cannot resume a stream by the id of an event of another session, of their own or of others', async () => {
    const [ana, anew, bob] = [
      await agentOf('alice', 'legacy'),
      await agentOf('alice', 'legacy'),
      await agentOf('bob', 'legacy'),
    ];
    plan.set('hers', { caller: 0, server: 1, id: '1', token: '1', fate: 'answer', takes: 1 });
    const params = '"name":"http-legacy__do","arguments":{"tag":"hers"}';
    const { bytes } = await ana.call('tools/call', params, { meta: '"progressToken":1' });
    const event = /^id: (\S+)$/m.exec(bytes.toString())?.[1];
    assert.ok(event, bytes.toString());
    const resume = (agent: WireAgent): Promise<Answer> =>
      answered(agent.request({ 'last-event-id': event, accept: 'text/event-stream' }, 'GET').end());
    for (const other of [anew, bob]) {
      const { status, last } = await resume(other);
      assert.equal(status, 400);
      assert.doesNotMatch(last, /hers/);
    }
    const own = await resume(ana);
    assert.match(own.last, /"tag":"hers"/);
    for (const agent of [ana, anew, bob]) await answered(agent.request({}, 'DELETE').end());
    const gone = await resume(ana);
    assert.equal(gone.status, 404);
    assert.doesNotMatch(gone.last, /hers/);
  });

  test('cannot go on with the state of another’s request, and with their own only once and as they asked', async () => {
    const [alice, bob] = [await agentOf('alice', 'modern'), await agentOf('bob', 'modern')];
    const first = '"name":"http-modern__do","arguments":{"ask":"state"}';
    const { last } = await alice.call('tools/call', first);
    const { result } = JSON.parse(last) as { result: { requestState: string } };
    assert.notEqual(result.requestState, 'of the server', last);
    const goOn = (agent: WireAgent, params: string, id: string): Promise<Answer> =>
      agent.call('tools/call', `${params},"requestState":${JSON.stringify(result.requestState)}`, { id });
    const other = first.replace('"state"', '"other"');
    for (const [agent, params] of [
      [bob, first],
      [alice, other],
    ] as const) {
      const refused = await goOn(agent, params, '2');
      assert.match(refused.last, /"error"/, refused.last);
    }
    assert.match((await goOn(alice, first, '3')).last, /"went on"/);
    assert.match((await goOn(alice, first, '4')).last, /"error"/);
    assert.equal(
      servers
        .find(({ era, transport }) => era === 'modern' && transport === 'http')!
        .seen.filter((text) => text.includes('"of the server"')).length,
      1,
    );
  });

  async function agentOf(name: string, era: Era): Promise<WireAgent> {
    const agent = await WireAgent.open({ url: gateway.url, token: `${name}-token` }, '/mcp', era);
    return started.adopt(agent, (one) => one.close());
  }

  async function go(
    step: Step,
    { agent }: { agent: WireAgent },
    tag: string,
  ): Promise<{ step: Step; tag: string; messages: readonly string[] }> {
    plan.set(tag, step);
    const server = servers[step.server]!;
    const params = `"name":"${server.transport}-${server.era}__do","arguments":{"tag":"${tag}"}`;
    const sent = agent.begin('tools/call', params, { id: step.id, meta: `"progressToken":${step.token}` });
    if (step.fate === 'leave') {
      sent.on('error', () => undefined);
      setTimeout(() => sent.destroy(), step.takes);
      return { step, tag, messages: [] };
    }
    const cancelling = step.fate === 'cancel' ? cancel(step, agent) : undefined;
    const { messages }: Answer = await answered(sent);
    await cancelling;
    return { step, tag, messages };
  }
});

/** Equal ids of others are not meant. */
async function cancel({ id, takes }: Step, agent: WireAgent): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, takes));
  const params = `{"requestId":${id},"reason":"enough"}`;
  await agent.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`);
}

/** Exactly one closing, under the agent's own id; every message speaks of this call or of none. */
function judge({ id }: Step, tag: string, messages: readonly string[]): void {
  const closings = messages.filter((text) => /"result":|"error":/.test(text));
  assert.equal(closings.length, 1, `${tag}: ${messages.join('\n')}`);
  assert.equal(messages.at(-1), closings[0], 'the closing is the last message');
  assert.match(closings[0]!, /^\{"jsonrpc":"2\.0","id":/);
  assert.ok(closings[0]!.startsWith(`{"jsonrpc":"2.0","id":${id},`), `${id}: ${closings[0]}`);
  for (const text of messages) {
    const tags = [...text.matchAll(/"tag":"([^"]*)"/g)].map(([, found]) => found);
    assert.ok(
      tags.every((found) => found === tag),
      `${tag} was told ${text}`,
    );
    assert.doesNotMatch(text, /forged/, tag);
  }
}

function misbehave(asked: Asked, transport: Transport, plan: ReadonlyMap<string, Step>): void {
  if (asked.message.params?.arguments?.['ask'] !== undefined) {
    const again = asked.text.includes('"requestState":"of the server"');
    const asks = '{"resultType":"input_required","requestState":"of the server"}';
    return asked.result(again ? '{"content":[],"structuredContent":"went on","resultType":"complete"}' : asks);
  }
  const tag = String(asked.message.params?.arguments?.['tag']);
  const step = plan.get(tag);
  const token = JSON.stringify(asked.message.params?._meta?.['progressToken']);
  if (step === undefined) return;
  const say = (id: string, text: string): string =>
    `{"jsonrpc":"2.0","id":${id},"result":{"content":[],"tag":"${text}"}}`;
  const progress = (of: string, text: string): string =>
    `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${of},"progress":1,"message":{"tag":"${text}"}}}`;
  asked.event(progress(token, tag));
  setTimeout(() => {
    switch (step.fate) {
      case 'answer':
      case 'late':
      case 'leave':
        break;
      case 'double':
        asked.event(say(asked.id, tag));
        break;
      case 'foreign':
        // over a pipe the server could speak for any of its calls, and nobody could tell
        if (transport === 'http') for (const by of [1, -1]) asked.event(say(String(Number(asked.id) + by), 'forged'));
        if (transport === 'http') asked.event(progress(String(Number(token) + 1), 'forged'));
        break;
      case 'unknown':
        for (const id of [`"${asked.id}"`, '999999999', '123456789012345678901234567890'])
          asked.event(say(id, 'forged'));
        for (const id of [`"${token}"`, '999999999', '1.5']) asked.event(progress(id, 'forged'));
        break;
      case 'cancel':
        setTimeout(() => asked.answer(say(asked.id, tag)), 20);
        return;
    }
    asked.answer(step.fate === 'double' ? say(asked.id, 'forged') : say(asked.id, tag));
    if (transport === 'stdio') asked.event(progress(token, 'forged'));
  }, step.takes);
}

async function settled(so: () => boolean): Promise<void> {
  for (const start = performance.now(); !so();) {
    assert.ok(performance.now() - start < 5_000, 'something is still held');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
