import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { BOX } from '../../test/fixtures/box.ts';
import { checkText, loadConfig } from './load.ts';
import type { Loaded } from './load.ts';
import { problemText } from './problem.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-config-'));
after(() => rmSync(folder, { recursive: true }));

const FILE = join(folder, 'sallyport.yaml');
const ENV = { ORIGIN: 'hunter2-not-an-origin', TOKEN: 'hunter2-token', SALLYPORT_DATA: '/var/lib/sallyport' };

async function problems(yaml: string): Promise<string[]> {
  const result = await checkText(yaml, FILE, BOX, { env: ENV });
  return result.ok ? [] : result.problems.map(problemText);
}

async function accepted(yaml: string, env: NodeJS.ProcessEnv = ENV): Promise<Loaded> {
  const result = await checkText(yaml, FILE, BOX, { env });
  assert.ok(result.ok, result.ok ? '' : result.problems.map(problemText).join('\n'));
  return result;
}

const ADDRESS = 'an address such as "127.0.0.1:7777", "[::1]:7777" or "unix:/path"';
const DURATION = 'a duration with its unit, such as "250ms", "1.5s", "10m", "2h" or "7d"';
const OWN = 'a path such as "./my-part.ts", or the name of an installed package';
const SERVER_KEYS = 'isolation, era, deadline, idle, concurrency, credentials';

const GOLDEN: readonly [title: string, yaml: string, ...messages: string[]][] = [
  ['a wrong type', 'listen: 5', `1:9 listen: expected ${ADDRESS} or a list, found 5`],
  ['an address without a port', 'listen: nowhere', `1:9 listen: expected ${ADDRESS}, found "nowhere"`],
  [
    'an address in a list',
    'listen:\n  - 127.0.0.1:1\n  - 127.0.0.1:99999',
    `3:5 listen[1]: expected ${ADDRESS}, found "127.0.0.1:99999"`,
  ],
  [
    'an open listener without TLS',
    'mode: enforce\nlisten: 0.0.0.0:80',
    '2:9 listen: expected tls, or plain: true spelled out, for an address off loopback, found an address that other machines reach, without TLS',
  ],
  [
    'a key that stands twice',
    'mode: enforce\nmode: observe',
    '2:1 expected well-formed YAML, found the key "mode" a second time',
  ],
  [
    'an unknown tag',
    'servers: !!js/function x',
    '1:10 expected well-formed YAML, found unresolved tag: tag:yaml.org,2002:js/function',
  ],
  [
    'aliases that multiply',
    'x: &a [1,1,1,1,1,1,1,1,1,1]\ny: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nz: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]',
    '1:1 expected at most 100 expanded aliases, found aliases that multiply',
  ],
  [
    'an unquoted reference in a flow mapping',
    'tls: { cert: ${file:x}, key: y }',
    '1:15 expected well-formed YAML, found unexpected flow-map-start at node end (quote references inside { } and [ ])',
  ],
  [
    'a word that is no choice',
    'mode: enforced',
    '1:7 mode: expected one of "enforce", "observe", found "enforced", did you mean "enforce"?',
  ],
  [
    'a misspelt key, without complaining about the one it stands for',
    'servers:\n  files:\n    comand: npx\n    args: [a]',
    `3:5 servers.files: expected one of url, transport, headers, tls, ${SERVER_KEYS}, command, args, cwd, env, found the unknown key "comand", did you mean "command"?`,
  ],
  [
    'a key of the other transport',
    'servers: { x: { url: "http://x", cwd: / } }',
    `1:34 servers.x: expected one of url, transport, headers, tls, ${SERVER_KEYS}, found the unknown key "cwd"`,
  ],
  [
    'a server without an address',
    'servers:\n  x: {}',
    '2:6 servers.x: expected the key "url" or "command", found a mapping',
  ],
  [
    'a server of a wrong scheme',
    'servers: { y: { url: ftp://x } }',
    '1:22 servers.y.url: expected an http or https URL, found "ftp://x"',
  ],
  [
    'a server name in capitals',
    'servers:\n  Files: { url: http://x }',
    '2:3 servers: expected a server name: a-z, 0-9 and "-", at most 31 characters, found "Files"',
  ],
  [
    'a duration without a unit',
    'servers: { x: { command: npx, deadline: 10 } }',
    `1:41 servers.x.deadline: expected ${DURATION}, found 10`,
  ],
  [
    'a size without a unit',
    'message: { size: 4 }',
    '1:18 message.size: expected a size with its unit, such as "512KB" or "4MiB", found 4',
  ],
  ['a number too large', 'message: { depth: 1000 }', '1:19 message.depth: expected at most 256, found 1000'],
  ['a list too short', 'identity: []', '1:11 identity: expected at least 1 item, found a list'],
  [
    'a misspelt part',
    'identity: [ { use: lcal } ]',
    `1:20 identity[0].use: expected one of "local", "api-key", ${OWN}, found "lcal", did you mean "local"?`,
  ],
  [
    'a part without a name',
    'identity: [ {} ]',
    `1:13 identity[0].use: expected one of "local", "api-key", ${OWN}, found nothing`,
  ],
  ['a part that is no mapping', 'policy: owner', '1:9 policy: expected a mapping, found "owner"'],
  [
    'a part that lies nowhere',
    'identity: [ { use: ./missing.ts } ]',
    '1:20 identity[0].use: expected a part of kind identity: one of the box, a path such as "./my-part.ts", or an installed package, found "./missing.ts", which does not exist',
  ],
  [
    "a misspelt key of a part's own",
    'audit: { use: jsonl, rotat: 5d }',
    '1:22 audit: expected one of rotate, durability, use, found the unknown key "rotat", did you mean "rotate"?',
  ],
  [
    'a variable that is not set',
    'tenant: ${env:NOT_SET}',
    '1:9 tenant: expected the environment variable NOT_SET, found nothing (set it where the gateway is started)',
  ],
  [
    'a file that is not there',
    'tenant: ${file:nope}',
    `1:9 tenant: expected a readable file ${join(folder, 'nope')}, found ENOENT (create it, or correct the path)`,
  ],
  [
    'a reference of an unknown kind',
    'tenant: "${vault:a#b}"',
    '1:9 tenant: expected ${env:NAME}, ${file:path}, or $${ for a plain ${, found "${vault:a#b}"',
  ],
  [
    'client certificates that nobody can check',
    'tls: { cert: "-----BEGIN CERTIFICATE-----", key: "-----BEGIN PRIVATE KEY-----", clientCertRequired: true }',
    '1:101 tls.clientCertRequired: expected tls.clientCa with it, found no authority to check them against',
  ],
  [
    'a folder too deep for a socket',
    `data: /${'d'.repeat(100)}`,
    '1:7 data: expected a folder whose socket has a path of at most 103 bytes, found one of 116',
  ],
  ['a text that is no mapping', 'just text', '1:1 expected a mapping, found "just text"'],
];

for (const [title, yaml, ...messages] of GOLDEN) {
  test(`it is refused, located and explained: ${title}`, async () => {
    assert.deepEqual(
      await problems(yaml),
      messages.map((message) => `sallyport.yaml:${message}`),
    );
  });
}

test('all problems are told at once, in the order of the file', async () => {
  const told = await problems(
    'mode: 5\nservers:\n  a: { url: x }\n  b: { comand: y }\ntenant: ${env:NOT_SET}\nfoo: 1\n',
  );
  assert.deepEqual(
    told.map((line) => line.split(' ')[0]),
    ['1:7', '3:13', '4:8', '5:9', '6:1'].map((at) => `sallyport.yaml:${at}`),
  );
});

test('the value of a reference is never told, not even when it is wrong', async () => {
  const told = await problems('origins: [ "${env:ORIGIN}" ]');
  assert.deepEqual(told, [
    'sallyport.yaml:1:12 origins[0]: expected an origin such as "https://app.example.com", found "${env:ORIGIN}"',
  ]);
});

test('a literal that may be a secret is not repeated in a problem', async () => {
  const told = await problems('identity: [ { use: api-key, keys: [ hunter2 ] } ]');
  assert.deepEqual(told, ['sallyport.yaml:1:37 identity[0].keys[0]: expected at least 8 characters, found a string']);
  const url = 'ftp://me:hunter2@host/';
  assert.match((await problems(`url: ${url}`))[0]!, /found a string$/);
});

test('a file that is not there is one problem with its remedy', async () => {
  const result = await loadConfig(join(folder, 'none.yaml'), BOX, { env: ENV });
  assert.ok(!result.ok);
  assert.match(problemText(result.problems[0]!), /expected a readable configuration file, found none \(create it/);
});

test('an empty file is the safe default', async () => {
  const { config } = await accepted('');
  assert.deepEqual(config.listen, [{ kind: 'tcp', host: '127.0.0.1', port: 7777 }]);
  assert.equal(config.mode, 'enforce');
  assert.equal(config.data, '/var/lib/sallyport');
  assert.deepEqual(
    config.identity.map(({ component }) => component.use),
    ['local'],
  );
  assert.deepEqual(
    [config.policy, config.audit, config.store].map((part) => part?.component.use),
    ['owner', 'jsonl', 'embedded'],
  );
  assert.deepEqual(config.message, { size: 4_194_304, depth: 64 });
  assert.equal(config.metrics, undefined);
});

test('references are resolved for the gateway and stay references for people', async () => {
  const yaml = 'servers:\n  a: { url: "http://x/", headers: { authorization: "Bearer ${env:TOKEN}", x: "$${y}" } }';
  const { config, effective } = await accepted(yaml);
  const [server] = config.servers;
  assert.ok(server?.transport.kind === 'http');
  assert.deepEqual(server.transport.headers, { authorization: 'Bearer hunter2-token', x: '${y}' });
  assert.equal(server.deadline, 60_000);
  for (const shown of [JSON.stringify(config), inspect(config, { depth: 9 }), JSON.stringify(effective.tree)]) {
    assert.ok(shown.includes('Bearer ${env:TOKEN}'));
    assert.ok(!shown.includes('hunter2'));
  }
});

test('a file reference is read without its last line end, and the file is watched', async () => {
  writeFileSync(join(folder, 'tenant'), 'acme\n');
  const { config, files } = await accepted('tenant: ${file:tenant}');
  assert.equal(config.tenant, 'acme');
  assert.deepEqual(files, [FILE, join(folder, 'tenant')]);
});

test("a part's configuration reaches it checked, with defaults and without use", async () => {
  const { config } = await accepted('audit: { use: jsonl, durability: strict }');
  assert.deepEqual(config.audit.config, { rotate: 86_400_000, durability: 'strict' });
});

test("a user's own part is taken from its file and checked by its own schema", async () => {
  const zod = import.meta.resolve('zod');
  writeFileSync(
    join(folder, 'mine.mjs'),
    `import { z } from ${JSON.stringify(zod)};
     export const component = { kind: 'policy', use: 'mine', config: z.strictObject({ level: z.number() }), create: () => ({}) };`,
  );
  const { config } = await accepted('policy: { use: ./mine.mjs, level: 3 }');
  assert.deepEqual([config.policy.component.use, config.policy.config], ['./mine.mjs', { level: 3 }]);
  assert.deepEqual(await problems('policy: { use: ./mine.mjs, levle: 3 }'), [
    'sallyport.yaml:1:28 policy: expected one of level, use, found the unknown key "levle", did you mean "level"?',
  ]);
  assert.match((await problems('audit: { use: ./mine.mjs }'))[0]!, /found \.\/mine\.mjs, which is of kind policy$/);
});

test('relative paths start from the folder of the file', async () => {
  const { config } = await accepted(
    'data: state\nlisten: unix:gw.sock\nservers: { a: { command: x, cwd: sub }, b: { command: y } }',
  );
  assert.equal(config.data, join(folder, 'state'));
  assert.deepEqual(config.listen, [{ kind: 'unix', path: join(folder, 'gw.sock') }]);
  const folders = config.servers.map(({ transport }) => transport.kind === 'stdio' && transport.cwd);
  assert.deepEqual(folders, [join(folder, 'sub'), folder]);
});

test('the digest moves with any value in force, not with comments or the value behind a reference', async () => {
  const digest = async (yaml: string, env?: NodeJS.ProcessEnv) => (await accepted(yaml, { ...ENV, ...env })).digest;
  const plain = await digest('tenant: acme');
  assert.match(plain, /^[0-9a-f]{64}$/);
  assert.equal(await digest('# words\nmode: enforce\ntenant: acme'), plain);
  assert.notEqual(await digest('tenant: other'), plain);
  const secret = 'policy: { use: owner }\ntenant: ${env:TOKEN}';
  assert.equal(await digest(secret), await digest(secret, { TOKEN: 'another' }));
});

test('every value in force names where it came from', async () => {
  const { effective } = await accepted('mode: observe\nservers:\n  a: { command: x }');
  assert.equal(effective.origins.get('mode'), 'sallyport.yaml:1:7');
  assert.equal(effective.origins.get('servers.a.command'), 'sallyport.yaml:3:17');
  assert.equal(effective.origins.get('servers.a.deadline'), 'default');
  assert.equal(effective.origins.get('audit.rotate'), 'default');
});

test('what the command line sets stands before the file and is checked as the file is', async () => {
  const set = { listen: '127.0.0.1:0' };
  const result = await checkText('listen: 127.0.0.1:9', FILE, BOX, { env: ENV, set });
  assert.ok(result.ok);
  assert.deepEqual(result.config.listen, [{ kind: 'tcp', host: '127.0.0.1', port: 0 }]);
  assert.equal(result.effective.origins.get('listen'), 'command line');
  const open = await checkText('', FILE, BOX, { env: ENV, set: { listen: '0.0.0.0:80' } });
  assert.ok(!open.ok);
  assert.match(problemText(open.problems[0]!), /listen: expected tls/);
});
