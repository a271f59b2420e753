/** The same through `sallyport stdio`: an agent on a pipe loses nothing either. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { startInside } from './fixtures/wire/inside.ts';
import type { Inside } from './fixtures/wire/inside.ts';
import { wireServer } from './fixtures/wire/servers.ts';
import type { Asked, Era } from './fixtures/wire/servers.ts';
import { jsonText } from './fixtures/wire/texts.ts';
import { start } from './real/child.ts';
import type { Child } from './real/child.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const ERAS: readonly Era[] = ['modern', 'legacy'];
const ENVELOPE =
  '"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}';
const HELLO =
  '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}';
const ADDED = /, ?"resultType":"complete"/;
const PATIENCE_MS = 20_000;

describe('an agent on a pipe', { timeout: 90_000 }, () => {
  const started = new AsyncDisposableStack();
  let gateway: Inside;
  let answer: (asked: Asked) => void;

  before(async () => {
    const lists = { 'tools/list': () => '{"tools":[{"name":"do","inputSchema":{"type":"object"}}]}' };
    const servers: Record<string, object> = {};
    for (const era of ERAS) {
      const server = await wireServer('http', era, { lists, call: (asked) => answer(asked) });
      started.adopt(server, (one) => one.close());
      servers[era] = server.settings;
    }
    gateway = started.adopt(await startInside({ servers }), (one) => one.close());
  });
  after(() => started.disposeAsync());

  for (const agent of ERAS) {
    for (const server of ERAS) {
      test(`(${agent}) loses nothing of what it says to a ${server} server, and of what it is told`, async () => {
        await using relay = new Piped(
          start({ command: process.execPath, args: [MAIN, 'stdio', server, '--config', gateway.file] }),
        );
        if (agent === 'legacy') await relay.ask(HELLO);
        await fc.assert(
          fc.asyncProperty(
            jsonText(),
            jsonText(),
            fc.constantFrom('1', '"a"', '9007199254740993'),
            async (given, told, id) => {
              let seen = '';
              answer = (asked) => {
                seen = asked.text;
                asked.event(
                  `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${tokenIn(asked.text)},"progress":1.0,"odd":${told}}}`,
                );
                asked.result(`{"content":[],"odd":${told}${server === 'modern' ? ',"resultType":"complete"' : ''}}`);
              };
              const meta = `"_meta":{"progressToken":${id}${agent === 'modern' ? `,${ENVELOPE}` : ''}}`;
              const params = `{"name":"do","arguments":{"a":${given}},"odd":${given},${meta}}`;
              const [progress, last] = await relay.ask(
                `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":${params}}`,
              );
              assert.ok(seen.includes(`"arguments":{"a":${given}},"odd":${given}`), seen);
              assert.equal(
                progress,
                `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${id},"progress":1.0,"odd":${told}}}`,
              );
              assert.equal(
                last?.replace(ADDED, ''),
                `{"jsonrpc":"2.0","id":${id},"result":{"content":[],"odd":${told}}}`,
              );
              assert.equal(ADDED.test(last ?? ''), agent === 'modern');
            },
          ),
          { numRuns: 25 },
        );
      });
    }
  }
});

/** One message at a time: what comes until the answer belongs to it. */
class Piped implements AsyncDisposable {
  readonly #child: Child;
  readonly #lines: AsyncIterator<string>;

  constructor(child: Child) {
    this.#child = child;
    this.#lines = linesOf(child.process.stdout);
  }

  async ask(text: string): Promise<string[]> {
    this.#child.process.stdin.write(`${text}\n`);
    const said: string[] = [];
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), PATIENCE_MS);
    const gone = once(late.signal, 'abort').then(() => assert.fail(`no answer to ${text}`));
    do {
      const line = await Promise.race([this.#lines.next(), gone]);
      assert.ok(line.done !== true, 'the relay ended');
      // news of the session belong to no request
      if (!line.value.includes('list_changed')) said.push(line.value);
    } while (!/"(?:result|error)":/.test(said.at(-1) ?? ''));
    clearTimeout(timer);
    return said;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}

/** node:readline takes U+2028 for the end of a line. */
async function* linesOf(stdout: AsyncIterable<Buffer>): AsyncGenerator<string, undefined> {
  let rest = Buffer.alloc(0);
  for await (const chunk of stdout) {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield rest.toString('utf8', 0, end);
      rest = rest.subarray(end + 1);
    }
  }
  return undefined;
}

function tokenIn(text: string): string {
  return /"progressToken":("[^"]*"|[0-9]+)/.exec(text)?.[1] ?? 'null';
}
