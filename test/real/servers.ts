/** Real MCP servers from npm: how each is started, and what can be asked of it without harm, network or chance. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printedLine, start } from './child.ts';
import type { Program } from './child.ts';
import type { Era, Message, Target } from './raw.ts';

export interface Question {
  method: string;
  params: Message;
}

/** Where `pattern` matches inside a string, or the number of the member `member` stands, chance begins. */
export interface Variation {
  pattern: RegExp;
  reason: string;
}

export interface RealServer {
  /** Its name in the gateway's configuration. */
  name: string;
  /** Those it speaks; the gateway picks modern where it can. */
  eras: readonly Era[];
  /** Asked in this order, after the lists. */
  questions: readonly Question[];
  /** What differs from run to run without any gateway. */
  varies: readonly Variation[];
  /** It counts what it was asked, so each session needs a process of its own. */
  counts?: true;
  serve: () => Promise<Served>;
}

export interface Served {
  /** Its entry below `servers:` in the gateway's configuration. */
  settings: object;
  direct: Target;
  close: () => Promise<void>;
}

const BIN = fileURLToPath(new URL('../../node_modules/.bin/', import.meta.url));
const LEGACY: readonly Era[] = ['legacy'];
const BOTH: readonly Era[] = ['legacy', 'modern'];
const TIME: Variation = { pattern: /\d{4}-\d\d-\d\dT[\d:.]+Z/g, reason: 'the answer tells the time' };
const EPOCH: Variation = { pattern: /^\d{13}$/g, reason: 'the answer tells the time in milliseconds' };

/** @param scratch the folder that `makeScratch` made. */
export function realServers(scratch: string): readonly RealServer[] {
  const home = { HOME: join(scratch, 'home') };
  const files = join(scratch, 'files');
  const repository = join(scratch, 'repository');
  return [
    { name: 'everything', ...EVERYTHING, serve: stdio('mcp-server-everything', []) },
    {
      // Long enough that its longest tool name does not fit on the joint endpoint.
      name: 'everything-streamable-http',
      ...EVERYTHING,
      serve: http('mcp-server-everything', (port) => [['streamableHttp'], { PORT: port }], /listening on port/),
    },
    {
      name: 'everything-sse',
      ...EVERYTHING,
      serve: sse('mcp-server-everything', (port) => [['sse'], { PORT: port }], /running on port/),
    },
    {
      name: 'filesystem',
      eras: LEGACY,
      varies: [],
      questions: [
        call('list_allowed_directories'),
        call('list_directory', { path: files }),
        call('directory_tree', { path: files }),
        call('read_text_file', { path: join(files, 'hello.txt') }),
        call('read_multiple_files', { paths: [join(files, 'hello.txt'), join(files, 'absent.txt')] }),
        call('search_files', { path: files, pattern: '**/*.json' }),
        call('write_file', { path: join(files, 'written.txt'), content: 'once\n' }),
        call('read_text_file', { path: '/etc/hostname' }),
      ],
      serve: stdio('mcp-server-filesystem', [files]),
    },
    {
      name: 'memory',
      eras: LEGACY,
      varies: [],
      questions: [
        call('read_graph'),
        call('search_nodes', { query: 'program' }),
        call('open_nodes', { names: ['Ada'] }),
        call('create_entities', { entities: [{ name: 'Ada', entityType: 'person', observations: ['known'] }] }),
        { method: 'resources/read', params: { uri: 'memory://knowledge-graph' } },
      ],
      serve: stdio('mcp-server-memory', [], { MEMORY_FILE_PATH: join(scratch, 'memory.jsonl') }),
    },
    {
      name: 'sequential-thinking',
      counts: true,
      eras: LEGACY,
      varies: [],
      questions: [thought(1, true), thought(2, false), call('sequentialthinking', { thought: 'incomplete' })],
      serve: stdio('mcp-server-sequential-thinking', []),
    },
    { name: 'git', ...gitServer(repository), serve: stdio('git-mcp-server', [], { ...home, MCP_LOG_LEVEL: 'error' }) },
    {
      name: 'git-http',
      ...gitServer(repository),
      serve: http(
        'git-mcp-server',
        (port) => [[], { ...home, MCP_TRANSPORT_TYPE: 'http', MCP_HTTP_PORT: port, MCP_HTTP_HOST: '127.0.0.1' }],
        /listening|running|started successfully|ready/i,
      ),
    },
    // Its calls need a browser.
    {
      name: 'playwright',
      eras: LEGACY,
      varies: [],
      questions: [],
      serve: stdio('playwright-mcp', ['--headless'], home),
    },
    { name: 'dbhub', ...DBHUB, serve: stdio('dbhub', ['--demo'], home) },
    {
      name: 'dbhub-http',
      ...DBHUB,
      serve: http('dbhub', (port) => [['--demo', '--transport', 'http', '--port', port], home], /https?:\/\/\S+\/mcp/),
    },
    // Its calls need the Internet.
    { name: 'context7', eras: BOTH, varies: [], questions: [], serve: stdio('context7-mcp', [], home) },
    {
      name: 'debug',
      counts: true,
      eras: LEGACY,
      varies: [TIME, EPOCH],
      questions: [
        ...['text', 'image', 'audio', 'resource', 'resourceLink', 'mixed'].map((contentType) =>
          call('debug-tool', { contentType }),
        ),
        call('debug-tool', { simulateError: true }),
        { method: 'resources/read', params: { uri: 'ui://debug-tool/mcp-app.html' } },
      ],
      serve: stdio('mcp-server-debug', ['--stdio']),
    },
    {
      name: 'vanillajs',
      eras: LEGACY,
      varies: [TIME],
      questions: [call('get-time'), { method: 'resources/read', params: { uri: 'ui://get-time/mcp-app.html' } }],
      serve: stdio('mcp-server-basic-vanillajs', ['--stdio']),
    },
  ];
}

const EVERYTHING: Pick<RealServer, 'eras' | 'questions' | 'varies'> = {
  eras: LEGACY,
  questions: [
    call('echo', { message: 'wörld 👋 "quoted"\n' }),
    call('get-sum', { a: 2, b: 0.5 }),
    call('get-sum', { a: 'not a number' }),
    call('get-annotated-message', { messageType: 'error', includeImage: true }),
    call('get-resource-links', { count: 3 }),
    call('get-resource-reference', { resourceType: 'Text', resourceId: 2 }),
    call('get-structured-content', { location: 'Chicago' }),
    call('get-tiny-image'),
    call('trigger-sampling-request', { prompt: 'Capital?', maxTokens: 5 }),
    withProgress(call('trigger-long-running-operation', { duration: 0.2, steps: 2 })),
    { method: 'prompts/get', params: { name: 'simple-prompt' } },
    { method: 'prompts/get', params: { name: 'args-prompt', arguments: { city: 'Basel' } } },
    {
      method: 'prompts/get',
      params: { name: 'resource-prompt', arguments: { resourceType: 'Text', resourceId: '1' } },
    },
    { method: 'resources/read', params: { uri: 'demo://resource/static/document/features.md' } },
    { method: 'resources/read', params: { uri: 'demo://resource/dynamic/text/3' } },
    {
      method: 'completion/complete',
      params: { ref: { type: 'ref/prompt', name: 'completable-prompt' }, argument: { name: 'department', value: 'E' } },
    },
  ],
  varies: [{ pattern: /\d{1,2}:\d\d:\d\d [AP]M/g, reason: 'dynamic resources tell the time of day' }],
};

const DBHUB: Pick<RealServer, 'eras' | 'questions' | 'varies'> = {
  eras: BOTH,
  varies: [],
  questions: [
    call('execute_sql', { sql: 'SELECT 1 AS one, first_name FROM employee ORDER BY emp_no LIMIT 2' }),
    call('execute_sql', { sql: 'SELECT nothing FROM nowhere' }),
    call('search_objects', { object_type: 'table' }),
  ],
};

function gitServer(path: string): Pick<RealServer, 'eras' | 'questions' | 'varies'> {
  return {
    eras: LEGACY,
    varies: [],
    questions: [
      call('git_status', { path }),
      call('git_log', { path }),
      call('git_show', { path, object: 'HEAD' }),
      { method: 'resources/read', params: { uri: 'git://working-directory' } },
    ],
  };
}

function thought(thoughtNumber: number, nextThoughtNeeded: boolean): Question {
  return call('sequentialthinking', { thought: 'so', thoughtNumber, totalThoughts: 2, nextThoughtNeeded });
}

function call(name: string, args: Message = {}): Question {
  return { method: 'tools/call', params: { name, arguments: args } };
}

function withProgress({ method, params }: Question): Question {
  return { method, params: { ...params, _meta: { progressToken: 'my token' } } };
}

function stdio(bin: string, args: string[], env: Record<string, string> = {}): RealServer['serve'] {
  const program: Program = { command: join(BIN, bin), args, env };
  return async () => ({ settings: program, direct: { kind: 'stdio', ...program }, close: async () => {} });
}

type OnPort = (port: string) => [args: string[], env: Record<string, string>];

function http(bin: string, onPort: OnPort, ready: RegExp): RealServer['serve'] {
  return async () => {
    const { port, close } = await listening(bin, onPort, ready);
    // Playwright and others compare the Host header with the name that they were told.
    const url = `http://localhost:${port}/mcp`;
    return { settings: { url }, direct: { kind: 'http', url }, close };
  };
}

function sse(bin: string, onPort: OnPort, ready: RegExp): RealServer['serve'] {
  return async () => {
    const { port, close } = await listening(bin, onPort, ready);
    const url = `http://localhost:${port}/sse`;
    return { settings: { url, transport: 'sse' }, direct: { kind: 'sse', url }, close };
  };
}

async function listening(
  bin: string,
  onPort: OnPort,
  ready: RegExp,
): Promise<{ port: string; close: () => Promise<void> }> {
  const port = String(await freePort());
  const [args, env] = onPort(port);
  const child = start({ command: join(BIN, bin), args, env });
  try {
    await printedLine(child, ready);
    return { port, close: child.close };
  } catch (error) {
    await child.close();
    throw error;
  }
}

/** These servers cannot say which port they were given, so they are told one that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
