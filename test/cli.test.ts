/** The command line as a user has it: processes of bin/sallyport.js, their words and their exit codes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../bin/sallyport.js', import.meta.url));
const SERVER = fileURLToPath(
  new URL('../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
);

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

let folder: string;
let data: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
  data = join(folder, 'data');
});
after(() => rm(folder, { recursive: true, force: true }));

function start(args: readonly string[], node: readonly string[] = []): ChildProcess {
  const env = { ...process.env, SALLYPORT_DATA: data, NO_COLOR: '1' };
  return spawn(process.execPath, [...node, BIN, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function sallyport(...args: string[]): Promise<Ended> {
  return ended(start(args));
}

async function ended(child: ChildProcess): Promise<Ended> {
  let [out, err] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return name;
}

describe('usage', () => {
  test('an unknown command, a missing argument and a wrong option end with 2', async () => {
    const codes = await Promise.all([
      sallyport('chek'),
      sallyport('call'),
      sallyport('up', '--lisen', 'x'),
      sallyport(),
    ]);
    assert.deepEqual(
      codes.map(({ code }) => code),
      [2, 2, 2, 2],
    );
    assert.match(codes[0]!.err, /Did you mean check\?/);
  });

  test('an argument that is no key=value, or no JSON object, ends with 2', async () => {
    const [arg, json] = await Promise.all([
      sallyport('call', 'a', '--arg', 'x'),
      sallyport('call', 'a', '--json', '[1]'),
    ]);
    assert.deepEqual([arg.code, json.code], [2, 2]);
  });

  test('every command helps with examples and exit codes', async () => {
    const names = ['up', 'demo', 'check', 'stdio', 'status', 'call', 'explain', 'doctor'];
    const helped = await Promise.all(names.map((name) => sallyport(name, '--help')));
    for (const { code, out } of helped) {
      assert.equal(code, 0);
      assert.match(out, /Examples:\n {2}\$ sallyport .*\n[^]*Exit codes:\n {2}0 {2}ok/);
    }
  });
});

describe('check', () => {
  test('problems are told on standard error, all of them, and end with 1', async () => {
    const { code, out, err } = await sallyport('check', await file('bad.yaml', 'mode: enforced\ntenat: x\n'));
    assert.equal(code, 1);
    assert.equal(out, '');
    assert.match(
      err,
      /^bad\.yaml:1:7 mode: expected one of .*\nbad\.yaml:2:1 expected one of .*did you mean "tenant"\?\n$/,
    );
  });

  test('problems are also there for programs', async () => {
    const { code, out } = await sallyport('check', '--json', await file('bad2.yaml', 'mode: enforced\n'));
    const result = JSON.parse(out) as { ok: boolean; problems: { path: string; place: object }[] };
    assert.equal(code, 1);
    assert.deepEqual(
      [result.ok, result.problems[0]?.path, result.problems[0]?.place],
      [false, 'mode', { line: 1, column: 7 }],
    );
  });

  test('a file that is right is passed over in silence', async () => {
    const ended = await sallyport('check', await file('good.yaml', 'mode: observe\n'));
    assert.deepEqual(ended, { code: 0, out: '', err: '' });
  });
});

describe('explain', () => {
  test('a file that is wrong is not explained', async () => {
    const { code, out } = await sallyport('explain', '--config', await file('bad3.yaml', 'x: 1\n'));
    assert.deepEqual([code, out], [1, '']);
  });

  test('what is in force is explained for people and for programs', async () => {
    const name = await file('explained.yaml', 'mode: observe\n');
    const [people, programs] = await Promise.all([
      sallyport('explain', '--config', name),
      sallyport('explain', '--config', name, '--json'),
    ]);
    assert.match(people.out, /mode +"observe" +explained\.yaml:1:7/);
    assert.match(people.out, /authorize .*policy\/owner \(observed only\)/);
    assert.equal((JSON.parse(programs.out) as { mode: string }).mode, 'observe');
  });
});

describe('without a gateway', () => {
  test('status and call say that none is running, and end with 3', async () => {
    const nowhere = join(folder, 'nowhere');
    const all = await Promise.all([
      sallyport('status', '--data', nowhere),
      sallyport('call', 'a__b', '--data', nowhere),
    ]);
    for (const { code, err } of all) {
      assert.equal(code, 3);
      assert.match(err, /no gateway is running at .*sallyport up/);
    }
  });

  test('up says what to do where there is no configuration', async () => {
    const { code, err } = await sallyport('up', '--config', 'none.yaml');
    assert.equal(code, 1);
    assert.match(err, /There is no none\.yaml here\..*sallyport demo/);
  });

  test('a configuration in the own folder is found from anywhere, after one that is here', async () => {
    await mkdir(data, { recursive: true, mode: 0o700 });
    await writeFile(join(data, 'sallyport.yaml'), 'tenant: elsewhere\n');
    const { out } = await sallyport('explain');
    assert.match(out, /"elsewhere" +sallyport\.yaml:1:9/);
    await rm(join(data, 'sallyport.yaml'));
  });

  test('doctor ends with 1 for a token that others can read, and says what to do', async () => {
    const open = join(folder, 'open');
    await mkdir(open, { mode: 0o755 });
    await writeFile(join(open, 'token'), 'x');
    await chmod(join(open, 'token'), 0o644);
    const config = await file(
      'doctor.yaml',
      `data: ${open}\nmode: observe\nservers: { a: { command: no-such-program } }\n`,
    );
    const { code, out } = await sallyport('doctor', '--config', config);
    assert.equal(code, 1);
    assert.match(out, /✖ wrong {2}token: others can read .*\n +→ delete it/);
    assert.match(out, /! unsafe data folder: others can look into/);
    assert.match(out, /! unsafe mode: observe/);
    assert.match(out, /✖ wrong {2}server a: no-such-program is not found/);
  });
});

describe('launcher', () => {
  const old = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.0' } })`;
  const pretending = ['--import', `data:text/javascript,${encodeURIComponent(old)}`];

  test('under an old Node.js the pinned one takes over and its exit code is kept', async () => {
    const { code, err } = await ended(start(['check', 'missing.yaml'], pretending));
    assert.equal(code, 1);
    assert.match(err, /expected a readable configuration file/);
  });

  test('under an old Node.js a signal reaches the gateway, which drains and ends with 0', async () => {
    const config = await file('old.yaml', `data: ${join(folder, 'old')}\nlisten: 127.0.0.1:0\n`);
    const child = start(['up', '--config', config], pretending);
    await firstLine(child);
    child.kill('SIGTERM');
    assert.equal((await ended(child)).code, 0);
  });

  test('Ctrl-C, which reaches launcher and gateway both, drains and ends with 0', async () => {
    const config = await file('interrupted.yaml', `data: ${join(folder, 'interrupted')}\nlisten: 127.0.0.1:0\n`);
    const child = start(['up', '--config', config]);
    await firstLine(child);
    child.kill('SIGINT');
    child.kill('SIGINT');
    assert.equal((await ended(child)).code, 0);
  });
});

describe('a running gateway', () => {
  let gateway: ChildProcess;
  let first: string;
  let servers: string;

  before(async () => {
    servers = `servers:\n  every: { command: ${process.execPath}, args: [${SERVER}, stdio] }\n`;
    await file('sallyport.yaml', `listen: 127.0.0.1:0\n${servers}`);
    gateway = start(['up', '--json']);
    first = await firstLine(gateway);
  });
  after(async () => {
    if (gateway.exitCode !== null) return;
    gateway.kill('SIGTERM');
    await once(gateway, 'close');
  });

  test('a tool that does not exist ends with 1 and its reason', async () => {
    const { code, out, err } = await sallyport('call', 'every__nothing');
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, /refused: Unknown tool\. \(-32602\)/);
  });

  test('up --json tells the URL, the socket and the file of the token, not the token', async () => {
    const told = JSON.parse(first) as { ready: string; tokenFile: string; socket: string };
    assert.match(told.ready, /^http:\/\/127\.0\.0\.1:\d+\/mcp$/);
    assert.ok(existsSync(told.socket));
    assert.equal((await stat(told.tokenFile)).mode & 0o777, 0o600);
  });

  test('a tool answers under its joint name and under its own', async () => {
    const [joint, own] = await Promise.all([
      sallyport('call', 'every__echo', '--arg', 'message=hello'),
      sallyport('call', 'every', 'echo', '--json', '{"message":"hello"}'),
    ]);
    assert.deepEqual([joint.code, joint.out], [0, 'Echo: hello\n']);
    assert.deepEqual([own.code, own.out], [0, 'Echo: hello\n']);
  });

  test('status shows the servers, for people and for programs', async () => {
    const [people, programs] = await Promise.all([sallyport('status'), sallyport('status', '--json')]);
    assert.match(people.out, /^every +\w+/m);
    const { servers } = JSON.parse(programs.out) as { servers: { server: string }[] };
    assert.deepEqual(
      servers.map(({ server }) => server),
      ['every'],
    );
  });

  test('doctor finds the gateway and its parts live', async () => {
    const { code, out } = await sallyport('doctor');
    assert.equal(code, 0, out);
    assert.match(out, /✔ fine {3}audit\/jsonl/);
  });

  test('a changed configuration takes effect without a restart, and a broken one does not', async () => {
    const said = lines(gateway.stderr!);
    await writeFile(join(folder, 'sallyport.yaml'), 'mode: enforced\n');
    await said(/sallyport\.yaml:1:7 mode/);
    await writeFile(join(folder, 'sallyport.yaml'), `listen: 127.0.0.1:0\nmode: observe\n${servers}`);
    await said(/is in force/);
    const { out } = await sallyport('status', '--json');
    assert.equal((JSON.parse(out) as { mode: string }).mode, 'observe');
  });

  test('SIGTERM ends it with 0, and the socket is gone', async () => {
    const { socket } = JSON.parse(first) as { socket: string };
    gateway.kill('SIGTERM');
    assert.equal((await ended(gateway)).code, 0);
    assert.equal(existsSync(socket), false);
  });
});

describe('demo', () => {
  test('it is ready without a configuration and prints settings for every client', async (t) => {
    data = join(folder, 'demo');
    const child = start(['demo', '--listen', '127.0.0.1:0']);
    t.after(() => child.kill('SIGKILL'));
    const said = lines(child.stdout!);
    assert.match(await said(/^ready /), /^ready http:\/\/127\.0\.0\.1:\d+\/mcp$/);
    for (const client of [/^Claude Code/, /^Cursor/, /^VS Code/, /^MCP Inspector/, /^TypeScript SDK/])
      await said(client);
    await said(/sallyport call files list_directory/);
    const { code, out } = await sallyport('call', 'files', 'list_directory', '--arg', 'path=.');
    assert.deepEqual([code, out], [0, '[FILE] harbour.csv\n[FILE] welcome.md\n']);
    child.kill('SIGTERM');
    assert.equal((await ended(child)).code, 0);
  });
});

/** Waits for a line that matches, also among those that came since the last one was found. */
function lines(stream: NodeJS.ReadableStream): (wanted: RegExp) => Promise<string> {
  const seen: string[] = [];
  let more: () => void = () => {};
  createInterface({ input: stream }).on('line', (line) => {
    seen.push(line);
    more();
  });
  return async (wanted) => {
    for (;;) {
      const line = seen.shift();
      if (line === undefined) await new Promise<void>((resolve) => (more = resolve));
      else if (wanted.test(line)) return line;
    }
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  const early = once(child, 'close').then(() => Promise.reject(new Error('it ended before it was ready')));
  return Promise.race([lines(child.stdout!)(/./), early]);
}
