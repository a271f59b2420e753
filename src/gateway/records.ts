/** What is kept of a crossing, in the words of audit/record.ts. */
import { hash } from 'node:crypto';
import type { AuditRecord, RecordBody, RecordPrincipal, RecordVerdict } from '../components/audit/record.ts';
import { newId } from '../lib/ids.ts';
import { isObject, type Json, type Path } from './document.ts';
import type { Endpoint, Exchange, Message } from './exchange.ts';
import type { House } from './house.ts';
import type { OutcomeStatus } from './ports.ts';
import type { Principal } from './principal.ts';
import type { Crossing } from './stage.ts';
import { serverOf } from './stages/question.ts';
import type { Deny, Step } from './verdict.ts';
import type { Stop } from './walk.ts';

export function attemptRecord(crossing: Crossing, house: House): AuditRecord {
  const { exchange } = crossing;
  return {
    ...base(house),
    type: 'attempt',
    ...about(exchange),
    opener: exchange.row.opener,
    ...optional('params', bodyOf(crossing.message)),
    verdicts: crossing.trail.map(verdictOf),
    obligations: crossing.obligations.map(({ kind }) => kind),
    epoch: exchange.epoch,
    ...optional('grant', crossing.grant?.id),
  };
}

export function eventRecord(crossing: Crossing, house: House): AuditRecord {
  const { message, exchange, direction } = crossing;
  const start = base(house);
  const body = bodyOf(message) ?? { sha256: hash('sha256', ''), bytes: 0 };
  return {
    ...start,
    type: 'events',
    exchange: exchange.id,
    events: [{ method: message.method, direction, at: start.at, body }],
  };
}

/** `crossing` is absent where no message came: failures, deadlines, cancellations. */
export function outcomeRecord(
  exchange: Exchange,
  status: OutcomeStatus,
  crossing: Crossing | undefined,
  house: House,
  why?: Deny,
): AuditRecord {
  return {
    ...base(house),
    type: 'outcome',
    exchange: exchange.id,
    run: exchange.run,
    status,
    ...optional('reason', why?.reason),
    ...optional('detail', why?.detail),
    ...optional('result', crossing && refusable(crossing, why)),
    verdicts: (crossing?.trail ?? []).map(verdictOf),
    findings: crossing ? [...crossing.findings] : [],
    labels: [...house.runs.labels(exchange.run)],
    milliseconds: Math.max(0, house.clock.now() - exchange.opened),
  };
}

/** The attempt of another round at a modern server: the same request, with the answers it asked for. */
export function roundRecord(round: Exchange, house: House): AuditRecord {
  return {
    ...base(house),
    type: 'attempt',
    ...about(round),
    opener: round.row.opener,
    ...optional('params', bodyOf(round.opening)),
    verdicts: [],
    obligations: [],
    epoch: round.epoch,
  };
}

/** An attempt for each ask that a modern server put into its result. */
export function askRecords(crossing: Crossing, house: House): AuditRecord[] {
  const { exchange, asks, message } = crossing;
  return asks.map(({ id, row, key }) => ({
    ...base(house),
    type: 'attempt',
    ...about({ ...exchange, id, parent: exchange, row, requestId: undefined, target: { of: 'exchange', exchange } }),
    opener: row.opener,
    ...optional('params', bodyAt(message, ['result', 'inputRequests', key, 'params'])),
    verdicts: [],
    obligations: [],
    epoch: exchange.epoch,
  }));
}

/** The outcome of an ask that a retry answers. */
export function answerRecord(
  { message, exchange }: Crossing,
  { key, id }: { readonly key: string; readonly id: string },
  house: House,
): AuditRecord {
  return {
    ...base(house),
    type: 'outcome',
    exchange: id,
    run: exchange.run,
    status: 'result',
    ...optional('result', bodyAt(message, ['params', 'inputResponses', key])),
    verdicts: [],
    findings: [],
    labels: [],
    milliseconds: 0,
  };
}

export function refusalRecord(crossing: Crossing, stop: Stop, verdict: Deny, house: House): AuditRecord {
  const { arrival, principal, exchange, message } = crossing.sofar();
  return {
    ...base(house),
    type: 'refusal',
    direction: crossing.direction,
    stage: stop.stage,
    reason: verdict.reason,
    ...optional('detail', verdict.detail),
    rules: [...verdict.rules],
    ...optional('peer', arrival?.peer.address),
    ...optional('endpoint', arrival?.endpoint && endpointName(arrival.endpoint)),
    ...optional('principal', principal && recordPrincipal(principal)),
    ...optional('exchange', exchange?.id),
    ...optional('run', exchange?.run),
    ...optional('method', message?.method),
    ...optional('requestId', crossing.unreadable?.requestId ?? exchange?.requestId),
    ...optional('server', message?.from ?? (exchange && serverOf(exchange.target))),
    ...optional('name', exchange && targetName(exchange)),
    ...optional('params', message && refusable(crossing, verdict)),
  };
}

/** What is no message: start, stop, configuration, definitions. */
export function noticeRecord(what: string, details: object, house: House): AuditRecord {
  return { ...base(house), type: 'notice', what, details };
}

function base(house: House): {
  v: AuditRecord['v'];
  id: string;
  at: string;
  gateway: { name: string; version: string; config: string };
} {
  return {
    v: 1,
    id: newId(house.clock),
    at: timeText(house.clock.now()),
    gateway: { name: house.gateway.name, version: house.gateway.version, config: house.settings.configDigest },
  };
}

let last = { time: 0, text: new Date(0).toISOString() };

/** Many records are made in one millisecond. */
function timeText(time: number): string {
  if (time !== last.time) last = { time, text: new Date(time).toISOString() };
  return last.text;
}

type About = Omit<
  Extract<AuditRecord, { type: 'attempt' }>,
  'v' | 'id' | 'at' | 'gateway' | 'type' | 'opener' | 'params' | 'verdicts' | 'obligations' | 'epoch' | 'grant'
>;

function about(exchange: Exchange): About {
  return {
    exchange: exchange.id,
    ...optional('parent', exchange.parent?.id),
    ...optional('resumes', exchange.resumes),
    run: exchange.run,
    principal: recordPrincipal(exchange.principal),
    ...optional('client', exchange.clientInfo),
    ...optional('session', exchange.session),
    era: exchange.era,
    version: exchange.version,
    method: exchange.row.method,
    ...optional('requestId', exchange.requestId),
    endpoint: endpointName(exchange.endpoint),
    ...optional('server', serverOf(exchange.target)),
    ...optional('kind', exchange.target.of === 'definition' ? exchange.target.kind : undefined),
    ...optional('name', targetName(exchange)),
    ...optional('definition', exchange.target.of === 'definition' ? exchange.target.definition?.digest : undefined),
    ...optional('trace', traceOf(exchange.opening)),
  };
}

function targetName({ target }: Exchange): string | undefined {
  switch (target.of) {
    case 'definition':
      return target.name;
    case 'task':
      return target.task;
    case 'exchange':
      return targetName(target.exchange);
    case 'gateway':
    case 'servers':
      return undefined;
  }
}

export function endpointName(endpoint: Endpoint): string {
  return endpoint.kind === 'joint' ? '/mcp' : `/mcp/${endpoint.server}`;
}

/** SEP-414: W3C trace context travels in `_meta`. */
function traceOf({ doc }: Message): string | undefined {
  const params = isObject(doc.value) ? doc.value['params'] : undefined;
  const meta = isObject(params) ? params['_meta'] : undefined;
  const parent = isObject(meta) ? meta['traceparent'] : undefined;
  return typeof parent === 'string' ? parent : undefined;
}

/**
 * What a server sent and was refused has not been made safe: it may hold the very secret for which it was refused
 * (law 3, law 8). Of that only the digest is kept.
 */
function refusable({ message, direction }: Crossing, why: Deny | undefined): RecordBody | undefined {
  const body = bodyOf(message);
  if (!body || !why || direction === 'inward') return body;
  return { sha256: body.sha256, bytes: body.bytes };
}

/** The payload exactly as it came: its digest, its size, and its tree. */
function bodyOf(message: Message): RecordBody | undefined {
  return bodyAt(message, [message.payload]);
}

function bodyAt({ doc }: Message, path: Path): RecordBody | undefined {
  const span = doc.span(path);
  if (!span) return undefined;
  const bytes = doc.bytes.subarray(span.start, span.end);
  return { sha256: hash('sha256', bytes), bytes: bytes.length, json: valueAt(doc.value, path) };
}

function valueAt(value: Json | undefined, path: Path): Json | undefined {
  return path.reduce<Json | undefined>((at, step) => (isObject(at) ? at[step] : undefined), value);
}

function verdictOf({ stage, verdict, would }: Step): RecordVerdict {
  const shared = { effect: verdict.effect, stage, ...(would ? { would } : {}) };
  switch (verdict.effect) {
    case 'pass':
      return { ...shared, rules: [...verdict.rules] };
    case 'deny':
      return { ...shared, rules: [...verdict.rules], reason: verdict.reason, ...optional('detail', verdict.detail) };
    case 'hold':
      return { ...shared, rules: [] };
  }
}

const principals = new WeakMap<Principal, RecordPrincipal>();

function recordPrincipal(principal: Principal): RecordPrincipal {
  const known = principals.get(principal);
  if (known) return known;
  const { key, tenant, issuer, subject, agent, person, groups, chain, proof } = principal;
  const made: RecordPrincipal = {
    key,
    tenant,
    issuer,
    subject,
    ...optional('agent', agent),
    ...optional('person', person),
    groups: [...groups],
    chain: [...chain],
    proof: { ...proof },
  };
  principals.set(principal, made);
  return made;
}

function optional<const K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}
