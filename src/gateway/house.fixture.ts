/**
 * A house for tests: the real walk, stages and exchange life, between an agent and servers that a test scripts. Every port
 * writes what it was asked into one journal, so that a test can state an order in words.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Audit } from '../components/audit/audit.ts';
import type { AuditRecord } from '../components/audit/record.ts';
import type { Identity } from '../components/identity/identity.ts';
import { none as noInspection } from '../components/inspection/none/none.ts';
import type { Limits } from '../components/limits/limits.ts';
import { concurrency } from '../components/limits/concurrency/concurrency.ts';
import type { Policy } from '../components/policy/policy.ts';
import { owner } from '../components/policy/owner/owner.ts';
import { none as noRedaction } from '../components/redaction/none/none.ts';
import { constant } from '../components/risk/constant/constant.ts';
import { staticCredentials } from '../components/credentials/static/static.ts';
import { manualClock, type ManualClock } from '../lib/clock.ts';
import { Lru } from '../lib/lru.ts';
import { readMessage } from '../mcp/codec/envelope.ts';
import { parseJson, splice } from '../mcp/codec/json.ts';
import type { PartDeps } from './component.ts';
import { isObject, type Doc, type Json, type JsonObject } from './document.ts';
import type { Definition, Endpoint, Era, Exchange, Message, Target } from './exchange.ts';
import { createCore } from './gateway.ts';
import { Handles } from './handles.ts';
import type { CoreSettings, House, Parts } from './house.ts';
import { openKeyring, type KeyRecord } from './keyring.ts';
import { Ledger } from './ledger.ts';
import { METHODS, methodRow, type MethodRow } from './methods.ts';
import type {
  Answerer,
  Arrival,
  CancelWhy,
  Catalog,
  Codec,
  Core,
  Flight,
  Grant,
  Handling,
  Log,
  Outlet,
  Reader,
  Reading,
  Reply,
  Session,
  Upstreams,
} from './ports.ts';
import { principalKey, type Principal } from './principal.ts';
import { Runs, RUNS } from './runs.ts';
import { bindStages } from './stages/stages.ts';
import { deny, type Deny } from './verdict.ts';
import type { BoundStage } from './walk.ts';

export const SECRET = 'hunter2/hunter2';
const LIMITS = { bytes: 1_000_000, depth: 64 };
const MODERN = '2026-07-28';
const LEGACY = '2025-11-25';

/** What somebody answers was asked, and the way back. */
export interface Call extends Flight {
  readonly exchange: Exchange;
  readonly outlet: Outlet;
  readonly grant: Grant | undefined;
  readonly events: Message[];
  cancelled: CancelWhy | undefined;
}

export type Script = (call: Call) => void;

export interface Said {
  readonly what: 'refuse' | 'accept' | 'event' | 'ask' | 'close' | 'fail' | 'perform';
  readonly exchange?: Exchange;
  readonly message?: Message;
  readonly verdict?: Deny;
}

/** One message of an agent and all that came back for it. */
export interface Sent {
  readonly handling: Handling;
  readonly said: readonly Said[];
  /** Resolves with the last word: refusal, acceptance, answer, failure, performance. */
  readonly over: Promise<Said>;
}

export interface SendOptions {
  readonly as?: string | undefined;
  readonly era?: Era;
  readonly id?: number | undefined;
  readonly session?: string;
  readonly endpoint?: Endpoint | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly duplicates?: readonly string[];
  readonly announced?: number;
  readonly verb?: Arrival['verb'];
  readonly caps?: JsonObject;
  /** Instead of the message: exactly this text; `too_large` and `gone` are what `Arrival.body` says. */
  readonly raw?: string;
  /** The reply, or parts of it, misbehaves. */
  readonly reply?: Partial<Reply>;
}

export interface TestHouse {
  readonly house: House;
  readonly core: Core & { drain(): void };
  readonly clock: ManualClock;
  readonly journal: string[];
  readonly records: AuditRecord[];
  /** Everything that reached a server. */
  readonly calls: Call[];
  /** Everything that reached the catalog or the gateway's own answers. */
  readonly own: Call[];
  readonly errors: object[];
  /** What a server does with a call; until set, it answers at once with an empty result. */
  script: Script;
  send(method: string, params?: JsonObject, options?: SendOptions): Sent;
  /** The agent's answer to an ask of its session. */
  answer(session: string, id: string, result: JsonObject, options?: SendOptions): Sent;
  /** A live legacy session; its token is `token:` and its id. */
  session(id: string, options?: { as?: string; caps?: JsonObject; endpoint?: Endpoint }): Session;
}

export interface HouseOptions {
  readonly parts?: Partial<Parts>;
  readonly settings?: Partial<CoreSettings>;
  readonly house?: Partial<House>;
  /** Changes the bound stages: a test that breaks one. */
  readonly stages?: (direction: 'inward' | 'outward', stage: BoundStage) => BoundStage;
}

export async function testHouse(options: HouseOptions = {}): Promise<TestHouse> {
  const clock = manualClock();
  const journal: string[] = [];
  const records: AuditRecord[] = [];
  const errors: object[] = [];
  const calls: Call[] = [];
  const own: Call[] = [];
  const sessions = new Map<string, Session & { readonly owner: string }>();
  const keyring = await memoryKeyring(clock);
  const parts = await testParts(journal, records);
  let script: Script = answerEmpty;
  const upstreams = { ...answererOf('upstream', journal, calls, (call) => script(call)), key: () => 'key' };
  const house: House = {
    gateway: { name: 'test', version: '0' },
    clock,
    log: logInto(errors),
    codec: testCodec,
    reader: testReader,
    sessions: {
      find: (token, principal, endpoint) => findSession(sessions.get(token), principal, endpoint),
      level: (id) => [...sessions.values()].find((session) => session.id === id)?.logLevel,
    },
    agents: { known: (principal) => principal },
    catalog: testCatalog(journal, own),
    upstreams: upstreams as unknown as Upstreams,
    answers: ownAnswers(journal, own),
    keyring,
    handles: new Handles(keyring, clock),
    consume: consumeOnce(),
    mirrored: () => undefined,
    observer: { opened() {}, refused() {}, closed() {} },
    ledger: new Ledger(),
    parked: new Map(),
    runs: new Runs(clock, () => house.settings.runs),
    grants: new Lru(1000),
    stages: { inward: [], outward: [] },
    parts: { ...parts, ...options.parts },
    settings: { ...SETTINGS, ...options.settings },
    epoch: 1,
    draining: false,
    ...options.house,
  };
  Object.assign(house, { stages: changed(bindStages(house), options) });
  const core = createCore(house);
  const test: TestHouse = {
    house,
    core,
    clock,
    journal,
    records,
    calls,
    own,
    errors,
    get script() {
      return script;
    },
    set script(wanted) {
      script = wanted;
    },
    send: (method, params = {}, how = {}) => send(core, bodyText(method, params, how), { ...how, method }, journal),
    answer: (session, id, result, how = {}) =>
      send(
        core,
        `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`,
        { era: 'legacy', ...how, session },
        journal,
      ),
    session: (id, of = {}) => {
      const made = newSession(id, of);
      sessions.set(`token:${id}`, made);
      return made;
    },
  };
  return test;
}

const SETTINGS: CoreSettings = {
  mode: 'enforce',
  messageBytes: LIMITS.bytes,
  deadline: 60_000,
  askDeadline: 60_000,
  serverDeadline: () => 60_000,
  runs: RUNS,
  configDigest: 'config',
  hostAllowed: (host) => host === 'gateway.test',
  originAllowed: (origin) => origin === undefined || origin === 'https://app.test',
  admitted: (target) => target.of !== 'definition' || target.server !== 'unapproved',
};

function changed(bound: House['stages'], { stages }: HouseOptions): House['stages'] {
  if (!stages) return bound;
  return {
    inward: bound.inward.map((stage) => stages('inward', stage)),
    outward: bound.outward.map((stage) => stages('outward', stage)),
  };
}

// ---- parts -----------------------------------------------------------------------------------------------------

async function testParts(journal: string[], records: AuditRecord[]): Promise<Parts> {
  const deps = { servers: ['files', 'web'] } as unknown as PartDeps;
  const policy = await owner.create(owner.config.parse({}), deps);
  const limits = await concurrency.create(concurrency.config.parse({}), deps);
  const headers = { Authorization: `Bearer ${SECRET}` };
  const credentials = await staticCredentials.create(staticCredentials.config.parse({ headers }), deps);
  return {
    identity: [noting(testIdentity, journal, 'identity')],
    policy: noting(policy, journal, 'policy'),
    limits: [noting(limits, journal, 'limits')],
    inspection: [noting(await noInspection.create({}, deps), journal, 'inspection')],
    redaction: [noting(await noRedaction.create({}, deps), journal, 'redaction')],
    credentials: new Map([['files', noting(credentials, journal, 'credentials')]]),
    audit: testAudit(journal, records),
    risk: await constant.create({ score: 0 }, deps),
  };
}

export function testAudit(journal: string[], records: AuditRecord[]): Audit {
  return {
    keep(record) {
      journal.push(`audit.${record.type}`);
      records.push(record);
    },
  };
}

/** The same part, and every call of a method of it stands in the journal. */
export function noting<P extends object>(part: P, journal: string[], name: string): P {
  return new Proxy(part, {
    get(target, key, receiver): unknown {
      const value: unknown = Reflect.get(target, key, receiver);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        journal.push(`${name}.${String(key)}`);
        return Reflect.apply(value, target, args);
      };
    },
  });
}

/** `Bearer <name>` is that person; ana and bob own the gateway, everybody else is known and nothing more. */
export const testIdentity: Identity = {
  identify(arrival) {
    const name = /^Bearer (\w+)$/.exec(arrival.header('authorization') ?? '')?.[1];
    if (name === undefined) return { known: false, why: 'absent', challenge: 'Bearer realm="test"' };
    if (name === 'forged') return { known: false, why: 'rejected', detail: 'no such token' };
    return { known: true, principal: testPrincipal(name) };
  },
};

export function testPrincipal(name: string): Principal {
  return {
    key: principalKey('default', 'test', name, undefined),
    tenant: 'default',
    issuer: 'test',
    subject: name,
    agent: undefined,
    person: name,
    groups: name === 'ana' || name === 'bob' ? ['owner'] : [],
    chain: [],
    proof: { use: 'test', strength: 'bearer' },
    expires: undefined,
  };
}

export const permitAll: Policy = {
  decide: () => ({ effect: 'permit', rules: ['all'], obligations: [] }),
  release: () => ({ effect: 'permit', rules: ['all'], obligations: [] }),
  epoch: () => 0,
};

/** Counts what is taken and not given back. */
export function countingLimits(): Limits & { taken(): number } {
  let taken = 0;
  const take = () => {
    taken += 1;
    return { allowed: true, done: () => void (taken -= 1) } as const;
  };
  return { reading: take, opening: take, taken: () => taken };
}

// ---- the agent's side ------------------------------------------------------------------------------------------

function bodyText(method: string, params: JsonObject, { raw, id, era = 'modern' }: SendOptions): string {
  if (raw !== undefined) return raw;
  const answered = (methodRow('agent', method)?.wire ?? 'request') === 'request';
  const own = era === 'modern' ? { _meta: { 'io.modelcontextprotocol/protocolVersion': MODERN } } : {};
  return JSON.stringify({
    jsonrpc: '2.0',
    ...(answered ? { id: id ?? 1 } : {}),
    method,
    params: { ...own, ...params },
  });
}

function send(core: Core, body: string, how: SendOptions & { readonly method?: string }, journal: string[]): Sent {
  const said: Said[] = [];
  const { promise, resolve } = Promise.withResolvers<Said>();
  const reply = { ...recordingReply(said, resolve, journal), ...how.reply };
  const handling = core.handle(arrivalOf(body, how, journal), reply);
  return {
    handling,
    said,
    get over() {
      return soon(promise);
    },
  };
}

/** A gateway that says nothing fails the test that waits for a word, instead of letting it wait. */
async function soon<T>(promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('nothing was said')), PATIENCE);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Milliseconds. Everything here happens in one process: a word that is not there by now does not come. */
const PATIENCE = 250;

function recordingReply(said: Said[], last: (word: Said) => void, journal: string[]): Reply {
  const say = (word: Said): void => {
    journal.push(`reply.${word.what}`);
    said.push(word);
    if (word.what !== 'event' && word.what !== 'ask') last(word);
  };
  return {
    refuse: (verdict) => say({ what: 'refuse', verdict }),
    accept: () => say({ what: 'accept' }),
    event: (exchange, message) => say({ what: 'event', exchange, message }),
    ask: (exchange, message) => say({ what: 'ask', exchange, message }),
    close: (exchange, message) => say({ what: 'close', exchange, message }),
    fail: (exchange, verdict) => say({ what: 'fail', exchange, verdict }),
    perform: (exchange) => say({ what: 'perform', exchange }),
  };
}

function arrivalOf(body: string, how: SendOptions & { readonly method?: string }, journal: string[]): Arrival {
  const { as = 'ana', era = 'modern', session, method = '' } = how;
  const headers: Readonly<Record<string, string | undefined>> = {
    host: 'gateway.test',
    authorization: as === '' ? undefined : `Bearer ${as}`,
    'mcp-protocol-version': era === 'modern' ? MODERN : LEGACY,
    'mcp-session-id': session === undefined ? undefined : `token:${session}`,
    'x-caps': JSON.stringify(how.caps ?? {}),
    ...how.headers,
  };
  const http = methodRow('agent', method)?.wire === 'http';
  return {
    verb: how.verb ?? (http ? (method === 'session/end' ? 'DELETE' : 'GET') : 'POST'),
    endpoint: 'endpoint' in how ? how.endpoint : { kind: 'joint' },
    header: (name) => headers[name],
    duplicates: how.duplicates ?? [],
    peer: { address: '127.0.0.1', encrypted: false, certificate: undefined },
    announced: how.announced,
    at: 0,
    body: async () => {
      journal.push('body');
      return body === 'too_large' || body === 'gone' ? body : Buffer.from(body);
    },
  };
}

const testReader: Reader = {
  read(arrival, bytes): Reading {
    const era: Era = arrival.header('mcp-protocol-version') === MODERN ? 'modern' : 'legacy';
    const read = readMessage(bytes, LIMITS);
    if (!read.ok) {
      const reason = read.code === -32700 ? 'malformed' : 'not_json_rpc';
      return { ok: false, verdict: deny(reason, { detail: read.detail }), requestId: read.id, era };
    }
    const { doc, envelope } = read;
    const answer = envelope.kind === 'result' || envelope.kind === 'error';
    const message: Message = answer
      ? { kind: 'closing', method: '', doc, payload: envelope.kind === 'result' ? 'result' : 'error' }
      : { kind: 'opening', method: envelope.method, doc, payload: 'params' };
    return {
      ok: true,
      kind: message.kind,
      era,
      version: era === 'modern' ? MODERN : LEGACY,
      requestId: 'id' in envelope ? envelope.id : undefined,
      message,
      sessionToken: arrival.header('mcp-session-id'),
      caps: objectOf(arrival.header('x-caps')),
      clientInfo: undefined,
      progressToken: doc.raw(['params', '_meta', 'progressToken']),
      logLevel: undefined,
    };
  },
};

function objectOf(text: string | undefined): JsonObject {
  const value = docOf(text ?? '{}').value;
  return isObject(value) ? value : {};
}

function newSession(
  id: string,
  { as = 'ana', caps = {}, endpoint = { kind: 'joint' } }: { as?: string; caps?: JsonObject; endpoint?: Endpoint },
): Session & { readonly owner: string } {
  return {
    id,
    version: LEGACY,
    endpoint,
    caps,
    clientInfo: undefined,
    logLevel: undefined,
    owner: testPrincipal(as).key,
  };
}

function findSession(
  session: (Session & { readonly owner: string }) | undefined,
  principal: Principal,
  endpoint: Endpoint,
): Session | undefined {
  const same = JSON.stringify(session?.endpoint) === JSON.stringify(endpoint);
  return same && session?.owner === principal.key ? session : undefined;
}

// ---- the servers' side -----------------------------------------------------------------------------------------

export function docOf(text: string): Doc {
  const parsed = parseJson(Buffer.from(text), LIMITS);
  if (!parsed.ok) throw new Error(parsed.detail);
  return parsed.doc;
}

export function result(method: string, value: Json = {}): Message {
  return {
    kind: 'closing',
    method,
    doc: docOf(JSON.stringify({ jsonrpc: '2.0', id: 0, result: value })),
    payload: 'result',
  };
}

export function failure(method: string, message: string): Message {
  const doc = docOf(JSON.stringify({ jsonrpc: '2.0', id: 0, error: { code: -32000, message } }));
  return { kind: 'closing', method, doc, payload: 'error' };
}

export function event(method: string, params: JsonObject = {}): Message {
  return { kind: 'event', method, doc: docOf(JSON.stringify({ jsonrpc: '2.0', method, params })), payload: 'params' };
}

export function asking(method: string, params: JsonObject = {}): Message {
  const doc = docOf(JSON.stringify({ jsonrpc: '2.0', id: 0, method, params }));
  return { kind: 'opening', method, doc, payload: 'params' };
}

export const answerEmpty: Script = ({ exchange, outlet }) => outlet.close(result(exchange.row.method));
export const hang: Script = () => undefined;
/** A notification has no answer. */
const answerRequests: Script = (call) => (call.exchange.row.wire === 'request' ? answerEmpty(call) : undefined);

function answererOf(name: string, journal: string[], calls: Call[], script: Script): Answerer {
  return {
    open(exchange, outlet, grant) {
      journal.push(`${name}.open`);
      const call: Call = {
        exchange,
        outlet,
        grant,
        events: [],
        cancelled: undefined,
        cancel: (why) => void (call.cancelled = why),
        event: (message) => void call.events.push(message),
      };
      calls.push(call);
      script(call);
      return call;
    },
  };
}

function ownAnswers(journal: string[], own: Call[]): Record<string, Answerer> {
  const rows = METHODS.filter((row) => row.opener === 'agent' && row.answers === 'gateway' && row.wire !== 'http');
  return Object.fromEntries(rows.map((row) => [row.method, answererOf(row.method, journal, own, answerRequests)]));
}

const SERVERS = ['files', 'web', 'unapproved'];

function testCatalog(journal: string[], own: Call[]): Catalog {
  const catalog: Partial<Catalog> = {
    ...answererOf('catalog', journal, own, answerRequests),
    servers: ({ ...endpoint }) => {
      journal.push('catalog.servers');
      if (endpoint.kind === 'joint') return ['files', 'web'];
      return SERVERS.includes(endpoint.server) ? [endpoint.server] : undefined;
    },
    resolve: (exchange) => {
      journal.push('catalog.resolve');
      return targetOf(exchange);
    },
  };
  return catalog as Catalog;
}

/** A name is `server.name`, or only a name and then of `files`; `nothing` does not exist. */
function targetOf({ row, opening }: Exchange): Target | Deny {
  const params = isObject(opening.doc.value) ? opening.doc.value['params'] : undefined;
  const { name, uri, taskId, ref } = isObject(params) ? params : ({} as JsonObject);
  if (row.target === 'task') return { of: 'task', server: 'files', task: textOf(taskId) };
  const meant = textOf(isObject(ref) ? ref['name'] : (name ?? uri));
  if (meant === 'nothing') return deny('tool_unknown');
  const [server, own] = meant.includes('.') ? (meant.split('.', 2) as [string, string]) : ['files', meant];
  const kind = row.target === 'tool' || row.target === 'resource' ? row.target : 'prompt';
  return { of: 'definition', server, kind, name: own, definition: definitionOf(server, kind, own) };
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : 'nothing';
}

function definitionOf(server: string, kind: Definition['kind'], name: string): Definition {
  return { server, kind, name, digest: 'digest', body: Buffer.from('{}'), value: {} };
}

/** Params with which a method's row resolves. */
export function paramsFor(row: MethodRow): JsonObject {
  switch (row.target) {
    case 'tool':
    case 'prompt':
      return { name: 'read' };
    case 'resource':
      return { uri: 'file:///a' };
    case 'reference':
      return { ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'a', value: 'b' } };
    case 'task':
      return { taskId: 'task-1' };
    case 'gateway':
    case 'servers':
    case 'exchange':
      return {};
  }
}

// ---- the rest --------------------------------------------------------------------------------------------------

const testCodec: Codec = {
  edit: (doc, edits) => docOf(splice(doc, edits).toString('utf8')),
  read: (text) => docOf(text),
};

function memoryKeyring(clock: ManualClock): ReturnType<typeof openKeyring> {
  const kept: KeyRecord[] = [];
  return openKeyring({ load: async () => [...kept], add: async (record) => kept.push(record) > 0 }, clock);
}

function consumeOnce(): House['consume'] {
  const used = new Set<string>();
  return async (name) => !used.has(name) && used.size < used.add(name).size;
}

function logInto(errors: object[]): Log {
  return { debug() {}, info() {}, warn() {}, error: (fields) => void errors.push(fields) };
}

// ---- what tests ask --------------------------------------------------------------------------------------------

/** How it ended: the reason of a refusal or failure, or what else was said. */
export async function fate(sent: Sent): Promise<string> {
  const { what, verdict } = await sent.over;
  return verdict?.reason ?? what;
}

/** The stages at which something was refused, as audit has it. */
export function stops(records: readonly AuditRecord[]): string[] {
  return records.flatMap((record) =>
    record.type === 'refusal' ? [`${record.direction}:${record.stage} ${record.reason}`] : [],
  );
}

/** The same bound stage, doing something else. */
export function instead(
  direction: 'inward' | 'outward',
  name: BoundStage['stage'],
  run: BoundStage['run'],
): Required<Pick<HouseOptions, 'stages'>> {
  return { stages: (way, stage) => (way === direction && stage.stage === name ? { ...stage, run } : stage) };
}

/** Lets others have their turns until it is so. */
export async function until(condition: () => boolean): Promise<void> {
  for (const start = performance.now(); !condition(); await turn()) {
    if (performance.now() - start > 4 * PATIENCE) throw new Error('it never came');
  }
}
