/**
 * Nothing is lost on the way: real servers answer through the gateway as they answer directly, member for member.
 * What may differ is below, and nothing else.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startGateway } from '../gateway.ts';
import type { Gateway } from '../gateway.ts';
import type { Era, Json, Message } from './raw.ts';
import { makeScratch } from './scratch.ts';
import type { Scratch } from './scratch.ts';
import { realServers } from './servers.ts';
import type { RealServer, Served } from './servers.ts';
import { settled, survey } from './survey.ts';
import type { Finding } from './survey.ts';

/** Rewrites that belong to the gateway's hop. Each takes them out of an answer, direct or not. */
const REWRITES: readonly { reason: string; undo: (finding: Finding) => Finding }[] = [
  {
    reason: 'the opening tells of the hop: gateway name, its sessions, and what it adds',
    undo: (finding) =>
      finding.what === 'opening' ? { ...finding, message: instructionsOf(finding.message) } : finding,
  },
  {
    reason: 'lists are answered by the gateway: its own caching hints (SPEC caching), and serverInfo names the hop',
    undo: (finding) =>
      /^\S+\/list /.test(finding.what) ? without(finding, ['ttlMs', 'cacheScope', '_meta']) : finding,
  },
  {
    reason: 'what a server does not offer is an empty list or an unknown method',
    undo: (finding) =>
      /^\S+\/list /.test(finding.what) && isNothing(finding.message) ? { ...finding, message: {} } : finding,
  },
];

describe('through the gateway', () => {
  let scratch: Scratch;
  let gateway: Gateway;
  const started = new AsyncDisposableStack();
  const served = new Map<string, Served>();
  const servers = realServers('');

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
  function entries({ name, eras }: RealServer): [string, object][] {
    const { settings } = served.get(name)!;
    return eras.map((era) => [entryOf(name, era, eras), { ...settings, era, concurrency: 64 }]);
  }

  for (const [index, { name, eras }] of servers.entries()) {
    for (const era of eras) {
      test(`${name} answers in the ${era} era as it does directly`, async () => {
        const { questions, varies } = realServers(scratch.path)[index]!;
        const url = `${gateway.url}/mcp/${entryOf(name, era, eras)}`;
        const direct = await survey(served.get(name)!.direct, era, questions);
        const through = await survey({ kind: 'http', url, token: gateway.token }, era, questions);
        for (const [at, finding] of direct.entries()) {
          assert.deepEqual(comparable(through[at]!, varies), comparable(finding, varies), finding.what);
        }
      });
    }
  }
});

function comparable(finding: Finding, varies: RealServer['varies']): Json {
  const undone = REWRITES.reduce((rest, { undo }) => undo(rest), finding);
  return settled(undone as unknown as Json, varies);
}

function entryOf(name: string, era: Era, eras: readonly Era[]): string {
  return eras.length > 1 && era === 'legacy' ? `${name}-legacy` : name;
}

function instructionsOf(message: Message): Message {
  const { instructions } = message['result'] as Message;
  return instructions === undefined ? {} : { instructions };
}

function without(finding: Finding, members: readonly string[]): Finding {
  const result = finding.message['result'] as Message | undefined;
  if (result === undefined) return finding;
  const kept = Object.entries(result).filter(([member]) => !members.includes(member));
  return { ...finding, message: { ...finding.message, result: Object.fromEntries(kept) as Message } };
}

function isNothing(message: Message): boolean {
  const result = message['result'] as Message | undefined;
  if (result === undefined) return (message['error'] as Message)['code'] === -32601;
  return Object.values(result).every((value) => !Array.isArray(value) || value.length === 0);
}
