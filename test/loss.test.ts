/**
 * Nothing is lost and nothing is changed that docs/guide/protocol.md does not name. Servers and agents are written by hand,
 * byte by byte; each way is gone over HTTP and over a pipe, in all four pairs of eras.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { WireAgent } from './fixtures/wire/agents.ts';
import { wireServer } from './fixtures/wire/servers.ts';
import type { Asked, Era, Transport, WireServer } from './fixtures/wire/servers.ts';
import { jsonText } from './fixtures/wire/texts.ts';
import { startGateway } from './gateway.ts';
import type { Gateway } from './gateway.ts';

interface Cell {
  readonly name: string;
  readonly server: WireServer;
  readonly agent: WireAgent;
}

const TRANSPORTS: readonly Transport[] = ['http', 'stdio'];
const ERAS: readonly Era[] = ['modern', 'legacy'];

/** What a declaration may hold that no SDK knows, and what JSON.parse would change. */
const ODD =
  '"big":123456789012345678901234567890,"spelt":[1.0,1e2,-0,1E400,0.10],"\\u0061\\/":"\\u0062\\/\\ud800","":"","none":[ ],"10":null,"2":{}';
/** A declaration is pinned by its canonical form, so one that has none (RFC 8785: infinities, lone surrogates) is not listed. */
const LISTABLE = ODD.replace('1E400,', '').replace('\\ud800', '');
const LISTS: Readonly<Record<string, readonly string[]>> = {
  tools: [
    `{"name":"do","description":"\\u0064","inputSchema":{"type":"object","x-odd":{${LISTABLE}}},"annotations":{${LISTABLE}},"execution":{"odd":1.0},"_meta":{${LISTABLE}},${LISTABLE}}`,
    '{ "inputSchema" : {"type":"object"} , "name" : "also" }',
  ],
  prompts: [
    `{"name":"say","arguments":[{"name":"a",${LISTABLE}}],"icons":[{"src":"https://a.example/i.png",${LISTABLE}}],${LISTABLE}}`,
  ],
  resources: [`{"uri":"odd://a\\/b?c=\\u00e9","name":"r","annotations":{${LISTABLE}},"size":1.0,${LISTABLE}}`],
};

describe('between an agent and a server', { timeout: 120_000 }, () => {
  const started = new AsyncDisposableStack();
  const cells: Cell[] = [];
  let gateway: Gateway;
  let answer: (asked: Asked) => void;

  before(async () => {
    const lists = Object.fromEntries(
      Object.entries(LISTS).map(([kind, items]) => [
        `${kind}/list`,
        () => `{"${kind}":[${items.join(',')}],"resultType":"complete","ttlMs":60000,"cacheScope":"public"}`,
      ]),
    );
    const surface = `"capabilities":{"tools":{${LISTABLE}},"prompts":{},"resources":{},"completions":{},"experimental":{${LISTABLE}}},"instructions":"Say \\u0061 \\ud83d\\udc4b."`;
    const servers: WireServer[] = [];
    for (const transport of TRANSPORTS) {
      for (const era of ERAS) {
        const server = await wireServer(transport, era, { lists, surface, call: (asked) => answer(asked) });
        servers.push(started.adopt(server, (one) => one.close()));
      }
    }
    const settings = servers.map((server) => [`${server.transport}-${server.era}`, server.settings]);
    gateway = started.adopt(await startGateway({ servers: Object.fromEntries(settings) }), (one) => one.close());
    for (const server of servers) {
      for (const era of ERAS) {
        const path = `/mcp/${server.transport}-${server.era}`;
        const agent = started.adopt(await WireAgent.open(gateway, path, era), (one) => one.close());
        cells.push({ name: `${era} agent, ${server.era} server over ${server.transport}`, server, agent });
      }
    }
  });
  after(() => started.disposeAsync());

  test('nothing is lost of parameters, metadata and results that no SDK knows', async () => {
    const params = `"name":"do","arguments":{ ${ODD}, "nested":[{${ODD}}] },${ODD}`;
    const meta = `"example.com/odd":{${ODD}},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"`;
    const result = `{ "content" : [ {"type":"hologram",${ODD}}, {"type":"text","text":"\\u00e9","annotations":{${ODD}}} ] ,\t"structuredContent":{${ODD}},"_meta":{"example.com/odd":{${ODD}}},${ODD}}`;
    for (const cell of cells) {
      const { seen, last } = await carried(cell, params, result, meta);
      assert.ok(seen.includes(params), `${cell.name}: ${seen}`);
      assert.ok(seen.includes('"example.com/odd":{' + ODD), `${cell.name}: ${seen}`);
      assert.equal(last, `{"jsonrpc":"2.0","id":1,"result":${result}}`, cell.name);
    }
  });

  test('any JSON crosses as it is spelt', async () => {
    for (const cell of cells) {
      await fc.assert(
        fc.asyncProperty(jsonText(), jsonText(), async (given, told) => {
          const { seen, last } = await carried(
            cell,
            `"name":"do","arguments":{"a":${given}}`,
            `{"content":[],"b":${told}}`,
          );
          assert.ok(seen.includes(`"arguments":{"a":${given}}`), `${cell.name}: ${seen}`);
          assert.equal(last, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"b":${told}}}`, cell.name);
        }),
        { numRuns: 25 },
      );
    }
  });

  test('errors arrive with their codes, words and data', async () => {
    const error = `{"code":-31999,"message":"\\u0061 \\/ \\ud800","data":{${ODD}},${ODD}}`;
    for (const { name, agent } of cells) {
      answer = (asked) => asked.answer(`{"jsonrpc":"2.0","id":${asked.id},"error":${error},${ODD}}`);
      const { status, last } = await agent.call('tools/call', '"name":"do"');
      assert.equal(last, `{"jsonrpc":"2.0","id":1,"error":${error},${ODD}}`, name);
      assert.equal(status, 200);
    }
  });

  test('ids and progress tokens come back as the agent spelt them', async () => {
    const spelt = ['0', '-7', '9007199254740993', '123456789012345678901234567890', '"1"', '""', '"\\u0061\\/é"'];
    for (const { name, agent } of cells) {
      for (const id of spelt) {
        answer = (asked) => {
          const token = /"progressToken":("[^"]*"|[0-9]+)/.exec(asked.text)?.[1];
          asked.event(
            `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.0,"progressToken":${token},${ODD}}}`,
          );
          asked.result('{"content":[]}');
        };
        const { messages } = await agent.call('tools/call', '"name":"do"', { id, meta: `"progressToken":${id}` });
        const [progress, last] = messages.slice(-2);
        assert.equal(
          progress,
          `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.0,"progressToken":${id},${ODD}}}`,
          name,
        );
        assert.ok(last!.startsWith(`{"jsonrpc":"2.0","id":${plain(id)},"result":`), `${name}: ${last}`);
      }
    }
  });

  test('declarations are listed as their servers wrote them, at the joint endpoint under their new names', async () => {
    for (const { name, agent } of cells) {
      for (const [kind, items] of Object.entries(LISTS)) {
        const { last } = await agent.call(`${kind}/list`, '');
        assert.ok(last.includes(`[${items.join(',')}]`), `${name}: ${last}`);
      }
    }
    for (const era of ERAS) {
      const agent = started.adopt(await WireAgent.open(gateway, '/mcp', era), (one) => one.close());
      const { last } = await agent.call('tools/list', '');
      for (const { server } of cells) {
        const exposed = `{"name":"${server.transport}-${server.era}__do"`;
        assert.ok(last.includes(LISTS['tools']![0]!.replace('{"name":"do"', exposed)), last);
      }
    }
  });

  test('a server’s instructions and unknown capabilities reach agents of both eras', async () => {
    for (const { name, agent } of cells) {
      const hello = `"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}`;
      const { last } = await (agent.era === 'modern'
        ? agent.call('server/discover', '')
        : agent.call('initialize', hello));
      const { result } = JSON.parse(last) as { result: { instructions: string; capabilities: Record<string, object> } };
      assert.equal(result.instructions, 'Say a \u{1f44b}.', name);
      assert.deepEqual(
        Object.keys(result.capabilities['experimental']!).sort(),
        Object.keys(JSON.parse(`{${LISTABLE}}`) as object).sort(),
        name,
      );
    }
  });

  test('ten thousand events arrive in order, before the answer', async () => {
    const COUNT = 10_000;
    for (const { name, agent } of cells) {
      answer = (asked) =>
        void pour(
          asked,
          COUNT,
          (n) => `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":${n}}}`,
        );
      const { messages } = await agent.call('tools/call', '"name":"do"', {
        meta: '"io.modelcontextprotocol/logLevel":"debug"',
      });
      const numbers = messages.flatMap((text) =>
        text.includes('notifications/message') ? [(JSON.parse(text) as { params: { data: number } }).params.data] : [],
      );
      assert.equal(numbers.length, COUNT, `${name}: ${messages.at(-1)}`);
      assert.ok(
        numbers.every((n, at) => n === at),
        name,
      );
      assert.match(messages.at(-1)!, /"id":1,"result"/);
    }
  });

  /** One call: what the server saw, and the answer without what the eras add. */
  async function carried(
    { agent, server, name }: Cell,
    params: string,
    result: string,
    meta = '',
  ): Promise<{ seen: string; last: string }> {
    let seen = '';
    answer = (asked) => {
      seen = asked.text;
      asked.result(server.era === 'modern' ? `${result.slice(0, -1)},"resultType":"complete"}` : result);
    };
    const { last } = await agent.call('tools/call', params, { meta });
    assert.equal(ADDED.test(last), agent.era === 'modern', `${name}: ${last}`);
    return { seen, last: last.replace(ADDED, '') };
  }
});

describe('whatever way an HTTP server frames its answers', { timeout: 60_000 }, () => {
  const started = new AsyncDisposableStack();
  const agents: WireAgent[] = [];
  let answer: (asked: Asked) => void;

  before(async () => {
    const lists = { 'tools/list': () => '{"tools":[{"name":"do","inputSchema":{"type":"object"}}]}' };
    const servers: WireServer[] = [];
    for (const era of ERAS) {
      const server = await wireServer('http', era, { lists, call: (asked) => answer(asked) });
      servers.push(started.adopt(server, (one) => one.close()));
    }
    const settings = Object.fromEntries(servers.map((server) => [server.era, server.settings]));
    const gateway = started.adopt(await startGateway({ servers: settings }), (one) => one.close());
    for (const { era } of servers)
      agents.push(started.adopt(await WireAgent.open(gateway, `/mcp/${era}`, era), (one) => one.close()));
  });
  after(() => started.disposeAsync());

  const RESULT = '{"content":[{"type":"text","text":"\u00e9 \\u0061 \u{1f44b}"}]}';
  const NEWS = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"\u{1f44b}"}}';
  const PRETTY = '{\n  "content": [],\r\n\t"pretty" : true\n}';

  const BODIES: Readonly<Record<string, (id: string) => string>> = {
    'as one line': (id) => `{"jsonrpc":"2.0","id":${id},"result":${RESULT}}`,
    'with space around it': (id) => `\r\n {"jsonrpc":"2.0","id":${id},"result":${RESULT}}\n\n`,
    'over many lines': (id) => `{\n "jsonrpc": "2.0",\n "result": ${PRETTY},\n "id": ${id}\n}\n`,
  };

  for (const [name, body] of Object.entries(BODIES)) {
    test(`a JSON body ${name}, cut anywhere, arrives as it was`, async () => {
      for (const agent of agents) {
        for (const size of [1, 7, 1000]) {
          answer = (asked) => {
            asked.res!.setHeader('content-type', 'application/json; charset=utf-8');
            void inPieces(asked, Buffer.from(body(asked.id)), size);
          };
          const { last } = await agent.call('tools/call', '"name":"do"');
          assert.equal(last.replace(ADDED, ''), body('1'), `${agent.era} in pieces of ${size}`);
        }
      }
    });
  }

  const STREAMS: Readonly<Record<string, (text: string) => string>> = {
    'with LF': (text) => `event: message\ndata: ${text}\n\n`,
    'with CRLF': (text) => `event: message\r\ndata: ${text}\r\n\r\n`,
    'with CR': (text) => `data: ${text}\r\r`,
    'without a space after the colon': (text) => `data:${text}\n\n`,
    'with comments, ids and unknown fields': (text) => `: hello\n\nid: 7\nodd: 1\nretry: 10\n:\ndata: ${text}\n\n`,
    'with a priming event': (text) => `id: 1\ndata: \n\ndata: ${text}\n\n`,
    'with a byte order mark': (text) => `${text === NEWS ? '\ufeff' : ''}data: ${text}\n\n`,
    'over several data lines': (text) => `data: ${text.slice(0, 1)}\ndata: ${text.slice(1)}\n\n`,
  };

  for (const [name, event] of Object.entries(STREAMS)) {
    test(`a stream ${name}, cut anywhere, is read whole`, async () => {
      for (const agent of agents) {
        for (const size of [1, 5, 1000]) {
          answer = (asked) => {
            asked.res!.setHeader('content-type', 'text/event-stream; charset=utf-8');
            const last = `{"jsonrpc":"2.0","id":${asked.id},"result":${RESULT}}`;
            void inPieces(asked, Buffer.from(event(NEWS) + event(last)), size);
          };
          const { messages } = await agent.call('tools/call', '"name":"do"', { meta: LOUD });
          const [news, last] = messages.slice(-2).map((text) => text.replace(ADDED, '').replace('{\n', '{'));
          const wanted = `{"jsonrpc":"2.0","id":1,"result":${RESULT}}`;
          assert.deepEqual([news, last], [NEWS, wanted], `${agent.era} in pieces of ${size}`);
        }
      }
    });
  }
});

/** What modern agents need and legacy servers do not give. */
const ADDED = /, ?"resultType":"complete"/;
/** Logs are wanted. */
const LOUD = '"io.modelcontextprotocol/logLevel":"debug"';

async function inPieces(asked: Asked, bytes: Buffer, size: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += size) {
    asked.res!.write(bytes.subarray(at, at + size));
    await new Promise(setImmediate);
  }
  asked.res!.end();
}

/** Ids are spelt in one way: that of JSON.stringify (the codec compares them so). */
function plain(id: string): string {
  return id.startsWith('"') ? JSON.stringify(JSON.parse(id)) : id;
}

/** As fast as they are taken, then the answer. */
async function pour(asked: Asked, count: number, text: (n: number) => string): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    if (!asked.event(text(n))) await new Promise((resolve) => asked.stream.once('drain', resolve));
  }
  asked.result('{"content":[]}');
}
