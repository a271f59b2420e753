import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, normalize, join } from 'node:path';
import { test } from 'node:test';
import { verifies } from './verifies.ts';

interface Import {
  readonly file: string;
  /** A path from the root of the repository, or the name of a package. */
  readonly target: string;
  readonly typeOnly: boolean;
}

const texts = new Map(
  globSync(['src/**/*.ts', 'scripts/**/*.ts', 'bench/**/*.ts', 'test/**/*.ts']).map((file) => [
    file,
    readFileSync(file, 'utf8'),
  ]),
);
/** What ships: no tests, no suites, no fixtures. */
const shipped = [...texts.keys()].filter(
  (file) => file.startsWith('src/') && !/\.(test|suite|fixture)\.ts$/.test(file),
);
const imports = shipped.flatMap(importsOf);

function importsOf(file: string): Import[] {
  const found: Import[] = [];
  const text = texts.get(file) ?? '';
  for (const match of text.matchAll(/^(?:import|export)\s+(type\s+)?([^;']*?)\s*(?:from\s+)?'([^']+)';/gm)) {
    const [, type, names = '', from = ''] = match;
    const listed = /^\{([^}]*)\}$/s
      .exec(names)?.[1]
      ?.split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
    const typeOnly = type !== undefined || (listed !== undefined && listed.every((name) => name.startsWith('type ')));
    found.push({ file, target: resolved(file, from), typeOnly });
  }
  for (const [, from = ''] of text.matchAll(/\bimport\('([^']+)'\)/g))
    found.push({ file, target: resolved(file, from), typeOnly: false });
  return found;
}

function resolved(file: string, from: string): string {
  return from.startsWith('.') ? normalize(join(dirname(file), from)) : from;
}

/** The folder under src/, or `root` for what joins the folders. */
function room(path: string): string | undefined {
  const [top, second, third] = path.split('/');
  if (top !== 'src') return undefined;
  return third === undefined ? 'root' : second;
}

const kind = (path: string): string | undefined => /^src\/components\/([^/]+)\/./.exec(path)?.[1];
/** The folder of one part of a kind; undefined for what lies at the door of the kind. */
const sibling = (path: string): string | undefined => /^src\/components\/[^/]+\/([^/]+)\//.exec(path)?.[1];

// ---- the direction of imports ----------------------------------------------------------------------------------

/** lib ← gateway ← components, catalog, mcp, config, telemetry ← admin, cli ← compose. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  gateway: ['lib'],
  components: ['lib', 'gateway'],
  catalog: ['lib', 'gateway'],
  mcp: ['lib', 'gateway'],
  config: ['lib', 'gateway'],
  telemetry: ['lib', 'gateway'],
  admin: ['lib', 'gateway', 'mcp', 'telemetry', 'catalog', 'config'],
  cli: ['lib', 'gateway', 'mcp', 'telemetry', 'catalog', 'config', 'components', 'admin', 'client-config', 'root'],
  'client-config': ['lib', 'config'],
};

/** Ways across that are meant, each with its reason. */
const CROSSINGS: readonly { from: RegExp; to: RegExp; typeOnly: boolean; because: string }[] = [
  {
    from: /^src\/gateway\//,
    to: /^src\/components\/([^/]+)\/\1\.ts$/,
    typeOnly: true,
    because: 'the core knows the contract at the door of a kind, as a type',
  },
  {
    from: /^src\/gateway\//,
    to: /^src\/components\/audit\/record\.ts$/,
    typeOnly: true,
    because: 'the record is part of the contract of audit',
  },
  {
    from: /^src\/catalog\//,
    to: /^src\/mcp\/codec\//,
    typeOnly: false,
    because: 'hostile text is read by the one strict parser',
  },
  {
    from: /^src\/(config|telemetry|catalog|mcp)\//,
    to: /^src\/components\/[^/]+\/[a-z]+\.ts$/,
    typeOnly: true,
    because: 'a contract is for whoever keeps or asks it',
  },
  {
    from: /^src\/admin\//,
    to: /^src\/components\/identity\/api-key\/keys\.ts$/,
    typeOnly: false,
    because: 'whoever administers keys writes what the part reads',
  },
  {
    from: /^src\/telemetry\//,
    to: /^src\/config\/config\.ts$/,
    typeOnly: true,
    because: 'it is told its own settings',
  },
];

/** The SDK is for tests at the edge: what ships speaks the protocol itself, so that nothing is parsed twice in two ways. */
const mayImportSdk = (file: string): boolean => file.startsWith('src/mcp/');

function misdirected({ file, target, typeOnly }: Import): boolean {
  const [from, to] = [room(file), room(target)];
  if (from === undefined || to === undefined || from === to || from === 'root') return false;
  if (MAY[from]?.includes(to)) return false;
  return !CROSSINGS.some((way) => way.from.test(file) && way.to.test(target) && (typeOnly || !way.typeOnly));
}

const shown = (found: readonly Import[]): string[] => found.map(({ file, target }) => `${file} → ${target}`);

verifies('imports.direction', 'imports point from the rooms around the core to the core, never back', () => {
  assert.deepEqual(
    shown(imports.filter(misdirected)),
    [],
    'lib ← gateway ← components, catalog, mcp, config, telemetry ← admin, cli ← compose: the core stays small and readable because it knows none of them',
  );
});

verifies('imports.direction', 'no room is without a rule', () => {
  const rooms = new Set(shipped.map(room));
  assert.deepEqual(
    [...rooms].filter((name) => name !== 'root' && !Object.hasOwn(MAY, name ?? '')),
    [],
    'a new folder under src/ needs a place in the direction',
  );
});

verifies('imports.direction', 'components of different kinds do not know each other', () => {
  const wrong = imports.filter(({ file, target }) => kind(file) && kind(target) && kind(file) !== kind(target));
  assert.deepEqual(
    shown(wrong),
    [],
    'a part that knows another kind cannot be replaced alone; what they share belongs to the core',
  );
});

verifies('imports.direction', 'siblings of one kind do not know each other', () => {
  const apart = imports.filter(({ file, target }) => kind(file) !== undefined && kind(file) === kind(target));
  const wrong = apart.filter(
    ({ file, target }) => sibling(file) && sibling(target) && sibling(file) !== sibling(target) && !shared(target),
  );
  assert.deepEqual(shown(wrong), [], 'whoever writes a part reads its contract, not its neighbours');
});

/** Both stores speak SQL: what they share is a folder, not a part. */
function shared(target: string): boolean {
  return target.startsWith('src/components/store/sql/');
}

verifies('imports.direction', 'parts use the contracts of the core, not its workings', () => {
  const workings = /^src\/gateway\/(stages\/|house|walk|ledger|gateway|open-exchange|records|runs|resume)/;
  const wrong = imports.filter(({ file, target }) => kind(file) && workings.test(target));
  assert.deepEqual(shown(wrong), [], 'a part that reaches into the core can step around it');
});

verifies('imports.direction', 'only the edge knows the SDK of the protocol', () => {
  const sdk = imports.filter(({ file, target }) => target.startsWith('@modelcontextprotocol/') && !mayImportSdk(file));
  assert.deepEqual(shown(sdk), [], 'types and behaviour of one SDK version must not spread into what judges');
});

// ---- what no file does -----------------------------------------------------------------------------------------

const lines = (files: readonly string[], pattern: RegExp): string[] =>
  files.filter((file) => pattern.test(withoutComments(texts.get(file) ?? '')));

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
}

test('nothing but the command line and scripts prints', () => {
  const quiet = shipped.filter((file) => room(file) !== 'cli' && file !== 'src/main.ts');
  assert.deepEqual(
    lines(quiet, /\bconsole\./),
    [],
    'stdout may be a protocol stream, and logs go through the log, which hides secrets',
  );
});

test('nothing hands a text to a shell', () => {
  assert.deepEqual(
    lines(shipped, /\{[^}]*\bexec(Sync)?\b[^}]*\}\s*from 'node:child_process'|child_process['.]\)?\.exec|shell: true/),
    [],
    'arguments are hostile: spawn with a list',
  );
});

/** Where JSON.stringify may be hashed, and why two values never share a text there. */
const HASHED: Readonly<Record<string, string>> = {
  'src/gateway/sealing.ts':
    'a list of strings that the gateway made has one JSON text, and is never compared with a foreign one',
  'src/catalog/keeping.ts': 'a list of strings, to see whether the same was kept a moment ago',
  'src/catalog/names.ts': 'two strings, for the short end of a long name',
};

test('what is hashed is hashed in canonical form', () => {
  const found = lines(shipped, /(?:\bhash|createHash|createHmac|\.update)\([^;\n]*JSON\.stringify/);
  assert.deepEqual(
    found.filter((file) => !(file in HASHED)),
    [],
    'key order and spelling differ between writers: use lib/canonical-json',
  );
});

/**
 * V8 may take an escaped member name for another one (nodejs/node#63785), so text that a stranger wrote is read by
 * mcp/codec only. Each of these reads something else.
 */
const PARSES: Readonly<Record<string, string>> = {
  'src/gateway/handles.ts': 'one string without members, cut out of a document that the strict parser read',
  'src/gateway/sealing.ts': 'claims that this gateway wrote and authenticated',
  'src/catalog/agents.ts': 'what the gateway itself wrote into its store',
  'src/catalog/keeping.ts': 'what the gateway itself wrote into its store',
  'src/cli/admin-client.ts': 'an answer of the own gateway',
  'src/cli/commands/call.ts': 'what the user typed',
  'src/cli/commands/policy/asking.ts': 'what the user typed',
  'src/cli/commands/status.ts': 'an answer of the own gateway',
  'src/cli/demo-config.ts': 'the manifest of an installed package',
  'src/cli/doctor/findings.ts': 'an answer of the own gateway',
  'src/cli/gateway-client.ts': 'an answer of the own gateway',
  'src/cli/relay/discover.ts': 'a file of the own data directory',
  'src/components/audit/jsonl/recover.ts': 'one string of a line that the gateway wrote',
  'src/components/identity/api-key/keys.ts': 'what the gateway itself wrote into its store',
  'src/components/policy/cedar/known.ts': 'a definition that the catalog read with the strict parser and kept',
  'src/components/identity/oauth/revocations.ts': 'what the gateway itself wrote into its store',
  'src/components/identity/oauth/web.ts': 'what an issuer of the configuration says, read by nobody else',
  'src/components/store/keys.ts': 'the key ring that the gateway wrote',
  'src/components/store/postgres/listener.ts': 'notices that the gateway wrote',
  'src/telemetry/log.ts': 'a line of the own log',
  'src/version.ts': 'the own package.json',
};

const parsing = (): string[] =>
  lines(shipped, /\bJSON\.parse\(/).filter((file) => !/^src\/(mcp\/codec|lib)\//.test(file));

verifies('parser.one', 'text of strangers is parsed by the strict parser and nowhere else', () => {
  assert.deepEqual(
    parsing().filter((file) => !(file in PARSES)),
    [],
    'use parseJson or readMessage of mcp/codec, or say here whose text it is',
  );
});

verifies('parser.one', 'no exception outlives its reason', () => {
  assert.deepEqual(
    Object.keys(PARSES).filter((file) => !parsing().includes(file)),
    [],
  );
});
