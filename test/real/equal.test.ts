/**
 * Nothing is lost on the way: real servers answer through the gateway as they answer directly, member for member.
 * What may differ is in REWRITES, and nothing else.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startGateway } from '../gateway.ts';
import type { Gateway } from '../gateway.ts';
import { REAL_CLIENTS } from './clients.ts';
import type { Called, RealClient } from './clients.ts';
import { openRaw } from './raw.ts';
import type { Era, Json, Message, Raw } from './raw.ts';
import { makeScratch } from './scratch.ts';
import type { Scratch } from './scratch.ts';
import { realServers } from './servers.ts';
import type { Question, RealServer, Served } from './servers.ts';
import { ask, LISTS, settled, survey } from './survey.ts';
import type { Finding } from './survey.ts';

/** Each takes out of an answer, direct or not, what belongs to the hop and not to the server. */
const REWRITES: readonly { reason: string; of: RegExp; undo: (message: Message) => Message }[] = [
  {
    reason: 'the gateway speaks more revisions than the server, and its own freshness (server/utilities/caching)',
    of: /^opening/,
    undo: (message) => without(message, ['supportedVersions', 'ttlMs']),
  },
  {
    reason: 'a list comes from the catalog, which has had it for a while: what is left of its time is less',
    of: /\/list /,
    undo: (message) => without(message, ['ttlMs']),
  },
  {
    reason: 'a method that the server does not offer is refused by the gateway, in its own words',
    of: /\/list /,
    undo: ({ error, ...message }) =>
      error === undefined ? message : { ...message, code: (error as Message)['code']! },
  },
];

const EXPOSED = /^[A-Za-z0-9_-]{1,48}$/;
const SERVERS = realServers('');

describe('through the gateway', { timeout: 240_000 }, () => {
  const started = new AsyncDisposableStack();
  const served = new Map<string, Served>();
  const surveys = new Map<string, Promise<Finding[]>>();
  let scratch: Scratch;
  let gateway: Gateway;

  before(async () => {
    scratch = started.adopt(await makeScratch(), (one) => one.close());
    const real = realServers(scratch.path);
    for (const { name, serve } of real)
      served.set(
        name,
        started.adopt(await serve(), (one) => one.close()),
      );
    const running = await startGateway({ servers: Object.fromEntries(real.flatMap(entries)) });
    gateway = started.adopt(running, (one) => one.close());
  });
  after(() => started.disposeAsync());

  /** A server of both eras stands there twice, so that each era meets its own. */
  function entries({ name, eras, counts }: RealServer): [string, object][] {
    const { settings } = served.get(name)!;
    return eras.map((era) => [entryOf(name, era), { ...settings, era, ...(counts && { isolation: 'session' }) }]);
  }

  for (const [index, { name, eras }] of SERVERS.entries()) {
    for (const era of eras) {
      test(`${name} answers in the ${era} era as it does directly`, async () => {
        const { questions, varies } = realServers(scratch.path)[index]!;
        const target = { kind: 'http', url: `${gateway.url}/mcp/${entryOf(name, era)}`, token: gateway.token } as const;
        const through = await survey(target, era, questions);
        for (const [at, finding] of (await directly(index, era)).entries()) {
          assert.deepEqual(comparable(through[at]!, varies), comparable(finding, varies), finding.what);
          assertNotFresher(through[at]!, finding);
        }
      });
    }
  }

  for (const era of ['legacy', 'modern'] as const) {
    test(`the joint endpoint shows and answers all of it in the ${era} era, under names of its own`, async () => {
      const raw = await openRaw({ kind: 'http', url: `${gateway.url}/mcp`, token: gateway.token }, era);
      started.defer(() => raw.close());
      const [tools, prompts, resources, templates] = await jointLists(raw);
      for (const list of [tools!, prompts!]) assertExposed(list.map(nameOf));
      for (const [index, { name, eras }] of SERVERS.entries()) {
        if (!eras.includes(era)) continue;
        const direct = await directly(index, era);
        const entry = entryOf(name, era);
        const toolNames = assertGroup(tools!, itemsOf(direct[1]!, 'tools'), entry);
        const promptNames = assertGroup(prompts!, itemsOf(direct[2]!, 'prompts'), entry);
        assertWithin(resources!, itemsOf(direct[3]!, 'resources'));
        assertWithin(templates!, itemsOf(direct[4]!, 'resourceTemplates'));
        await assertSameAnswers(raw, index, direct, { tools: toolNames, prompts: promptNames });
      }
    });
  }

  for (const { name, tool, args } of [
    { name: 'everything-streamable-http', tool: 'echo', args: { message: 'through a client' } },
    { name: 'dbhub-http', tool: 'execute_sql', args: { sql: 'SELECT 1 AS one' } },
  ]) {
    for (const client of REAL_CLIENTS) {
      test(`${client.name} sees ${name} as it does directly`, async () => {
        const { direct } = served.get(name)!;
        assert.ok(direct.kind === 'http');
        const { eras } = SERVERS.find((server) => server.name === name)!;
        const reference = eras.includes(client.era) || client.fallsBack ? client : standInFor(client);
        const wanted = await use(reference, direct.url, undefined, tool, args);
        const era = eras.includes(client.era) ? client.era : 'legacy';
        const url = `${gateway.url}/mcp/${entryOf(name, era)}`;
        const seen = await use(client, url, gateway.token, tool, args);
        const across = era !== client.era;
        assert.deepEqual(across ? modernTools(seen) : seen, across ? modernTools(wanted) : wanted);
      });
    }
  }

  /** Asked once for all tests. */
  function directly(index: number, era: Era): Promise<Finding[]> {
    const { name, questions } = realServers(scratch.path)[index]!;
    const key = `${name} ${era}`;
    const known = surveys.get(key) ?? survey(served.get(name)!.direct, era, questions);
    surveys.set(key, known);
    return known;
  }

  async function assertSameAnswers(raw: Raw, index: number, direct: Finding[], names: Exposed): Promise<void> {
    const { questions, varies } = realServers(scratch.path)[index]!;
    for (const [at, question] of questions.entries()) {
      const finding = direct[1 + LISTS.length + at]!;
      const answer = await ask(raw, 1 + LISTS.length + at, renamed(question, names));
      assert.deepEqual(
        comparable({ ...answer, what: finding.what }, varies),
        comparable(finding, varies),
        finding.what,
      );
    }
  }
});

type Item = Message;

/** The server's own names to those of the joint endpoint. */
interface Exposed {
  tools: Map<Json, string>;
  prompts: Map<Json, string>;
}

function entryOf(name: string, era: Era): string {
  const { eras } = SERVERS.find((server) => server.name === name)!;
  return eras.length > 1 && era === 'legacy' ? `${name}-legacy` : name;
}

function comparable({ what, message, progress }: Finding, varies: RealServer['varies']): Json {
  const undone = REWRITES.reduce((rest, { of, undo }) => (of.test(what) ? undo(rest) : rest), message);
  return settled({ what, message: undone, progress }, varies);
}

function without(message: Message, members: readonly string[]): Message {
  const result = message['result'] as Message | undefined;
  if (result === undefined) return message;
  const kept = Object.entries(result).filter(([member]) => !members.includes(member));
  return { ...message, result: Object.fromEntries(kept) as Message };
}

/** Nobody may keep a list longer than its server said. */
function assertNotFresher(through: Finding, direct: Finding): void {
  const [its, own] = [through, direct].map(({ message }) => (message['result'] as Message | undefined)?.['ttlMs']);
  if (direct.what !== 'opening' && typeof own === 'number') assert.ok(Number(its) <= own, direct.what);
}

async function jointLists(raw: Raw): Promise<Item[][]> {
  const lists: Item[][] = [];
  for (const [index, question] of LISTS.entries()) {
    const { message } = await ask(raw, index + 1, question);
    lists.push(Object.values(message['result'] as Message).find((member) => Array.isArray(member)) as Item[]);
  }
  return lists;
}

function itemsOf({ message }: Finding, member: string): Item[] {
  return ((message['result'] as Message | undefined)?.[member] ?? []) as Item[];
}

/** One server's part of a joint list is its own list in its own order, but for the names. */
function assertGroup(joint: readonly Item[], own: readonly Item[], entry: string): Map<Json, string> {
  const group = joint.filter((item) => isOf(entry, nameOf(item)));
  assert.deepEqual(group.map(nameless), own.map(nameless), entry);
  return new Map(own.map((item, at) => [nameOf(item), nameOf(group[at]!)]));
}

/** Where a name does not fit, long server names are cut and a hash stands at the end. */
function isOf(entry: string, exposed: string): boolean {
  return exposed.startsWith(`${entry}__`) || exposed.startsWith(`${entry.slice(0, 20)}__`);
}

function nameOf({ name }: Item): string {
  assert.ok(typeof name === 'string');
  return name;
}

function nameless(item: Item): Item {
  return Object.fromEntries(Object.entries(item).filter(([member]) => member !== 'name'));
}

function assertWithin(joint: readonly Item[], own: readonly Item[]): void {
  const shown = new Set(joint.map((item) => JSON.stringify(item)));
  for (const item of own) assert.ok(shown.has(JSON.stringify(item)), JSON.stringify(item));
}

function assertExposed(names: readonly string[]): void {
  for (const name of names) assert.match(name, EXPOSED);
  assert.equal(new Set(names).size, names.length);
}

function renamed({ method, params }: Question, { tools, prompts }: Exposed): Question {
  const { name, ref } = params;
  const exposed = (method === 'tools/call' ? tools : prompts).get(name ?? '');
  if (exposed !== undefined) return { method, params: { ...params, name: exposed } };
  const reference = ref as Message | undefined;
  const prompt = prompts.get(reference?.['name'] ?? '');
  return prompt === undefined
    ? { method, params }
    : { method, params: { ...params, ref: { ...reference, name: prompt } } };
}

/** Another client of the same maker, which shows what this one would see if it could speak to that server. */
function standInFor({ name }: RealClient): RealClient {
  const [maker] = name.split(/ (?=\S+$)/);
  return REAL_CLIENTS.find((other) => other.name.startsWith(maker!) && other.era === 'legacy')!;
}

interface Seen {
  tools: unknown[];
  called: Called;
}

/** Clients drop `execution`, a member of 2025-11-25, where they speak 2026-07-28. */
function modernTools({ tools, called }: Seen): Seen {
  return { tools: tools.map((tool) => ({ ...(tool as object), execution: undefined })), called };
}

async function use(
  client: RealClient,
  url: string,
  token: string | undefined,
  tool: string,
  args: Record<string, unknown>,
): Promise<Seen> {
  const session = await client.open(url, token);
  try {
    return { tools: await session.list(), called: await session.call(tool, args) };
  } finally {
    await session.close();
  }
}
