/** What is kept of a crossing, in the words of audit/record.ts. */
import { hash } from 'node:crypto';
import { Payload } from './payload.ts';
import type { AuditRecord, RecordBody, RecordPrincipal, RecordVerdict } from '../components/audit/record.ts';
import { newId } from '../lib/ids.ts';
import { isObject, type Json, type Path } from './document.ts';
import type { Endpoint, Exchange, Message } from './exchange.ts';
import type { House } from './house.ts';
import type { OutcomeStatus } from './ports.ts';
import type { Principal } from './principal.ts';
import type { Crossing } from './stage.ts';
import { serverOf } from './stages/question.ts';
import type { Deny, Obligation, Step } from './verdict.ts';
import type { Stop } from './walk.ts';

export function attemptRecord(crossing: Crossing, house: House): AuditRecord {
  const { exchange, message, trail, obligations, grant } = crossing;
  return attempt(exchange, bodyOf(message), house, { trail, obligations, grant: grant?.id });
}

export function eventRecord(crossing: Crossing, house: House): AuditRecord {
  const { message, exchange, direction } = crossing;
  const body = bodyOf(message) ?? NOTHING;
  const start = base(house);
  const event = { method: message.method, direction, at: start.at, body };
  return { ...start, type: 'events', exchange: exchange.id, events: [event] };
}

const NOTHING: RecordBody = { sha256: hash('sha256', ''), bytes: 0 };

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
    reason: why?.reason,
    detail: why?.detail,
    result: crossing && refusable(crossing, why),
    verdicts: crossing === undefined ? [] : crossing.trail.map(verdictOf),
    findings: crossing === undefined ? [] : [...crossing.findings],
    labels: [...house.runs.labels(exchange.run)],
    milliseconds: Math.max(0, house.clock.now() - exchange.opened),
  };
}

/** The attempt of another round at a modern server: the same request, with the answers it asked for. */
export function roundRecord(round: Exchange, house: House): AuditRecord {
  return attempt(round, bodyOf(round.opening), house, UNJUDGED);
}

/** An attempt for each ask that a modern server put into its result. */
export function askRecords(crossing: Crossing, house: House): AuditRecord[] {
  const { exchange, asks, message } = crossing;
  return asks.map(({ id, row, key }) => {
    const target = { of: 'exchange', exchange } as const;
    const child = { ...exchange, id, parent: exchange, row, requestId: undefined, target };
    return attempt(child, bodyAt(message, ['result', 'inputRequests', key, 'params']), house, UNJUDGED);
  });
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
    result: bodyAt(message, ['params', 'inputResponses', key]),
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
    detail: verdict.detail,
    rules: [...verdict.rules],
    peer: arrival?.peer.address,
    endpoint: arrival?.endpoint && endpointName(arrival.endpoint),
    principal: principal && recordPrincipal(principal),
    exchange: exchange?.id,
    run: exchange?.run,
    method: message?.method,
    requestId: crossing.unreadable?.requestId ?? exchange?.requestId,
    server: message?.from ?? (exchange && serverOf(exchange.target)),
    name: exchange && targetName(exchange),
    params: message && refusable(crossing, verdict),
  };
}

/** What is no message: start, stop, configuration, definitions. */
export function noticeRecord(what: string, details: object, house: House): AuditRecord {
  return { ...base(house), type: 'notice', what, details };
}

interface Judged {
  readonly trail: readonly Step[];
  readonly obligations: readonly Obligation[];
  readonly grant: string | undefined;
}

const UNJUDGED: Judged = { trail: [], obligations: [], grant: undefined };

/** Members that are undefined are no part of a record. */
function attempt(exchange: Exchange, params: RecordBody | undefined, house: House, judged: Judged): AuditRecord {
  const { target } = exchange;
  return {
    ...base(house),
    type: 'attempt',
    exchange: exchange.id,
    parent: exchange.parent?.id,
    resumes: exchange.resumes,
    run: exchange.run,
    principal: recordPrincipal(exchange.principal),
    client: exchange.clientInfo,
    session: exchange.session,
    era: exchange.era,
    version: exchange.version,
    method: exchange.row.method,
    requestId: exchange.requestId,
    endpoint: endpointName(exchange.endpoint),
    server: serverOf(target),
    kind: target.of === 'definition' ? target.kind : undefined,
    name: targetName(exchange),
    definition: target.of === 'definition' ? target.definition?.digest : undefined,
    trace: traceOf(exchange.opening),
    opener: exchange.row.opener,
    params,
    verdicts: judged.trail.map(verdictOf),
    obligations: judged.obligations.map(({ kind }) => kind),
    epoch: exchange.epoch,
    grant: judged.grant,
  };
}

type Base = Pick<AuditRecord, 'v' | 'id' | 'at' | 'gateway'>;

function base(house: House): Base {
  return { v: 1, id: newId(house.clock), at: timeText(house.clock.now()), gateway: gatewayOf(house) };
}

const gateways = new WeakMap<House['settings'], Base['gateway']>();

/** One object for each configuration: a part may keep its text. */
function gatewayOf({ gateway, settings }: House): Base['gateway'] {
  let known = gateways.get(settings);
  if (known === undefined) {
    known = { name: gateway.name, version: gateway.version, config: settings.configDigest };
    gateways.set(settings, known);
  }
  return known;
}

let last = { second: NaN, text: '' };

/** RFC 3339. Many records are made in one second, and all but its milliseconds is the same. */
function timeText(time: number): string {
  const second = Math.floor(time / 1000);
  if (second !== last.second) last = { second, text: new Date(second * 1000).toISOString().slice(0, -4) };
  return `${last.text}${String(Math.floor(time) - second * 1000).padStart(3, '0')}Z`;
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

/** The payload exactly as it came. */
function bodyOf(message: Message): RecordBody | undefined {
  return bodyAt(message, [message.payload]);
}

function bodyAt({ doc }: Message, path: Path): RecordBody | undefined {
  const span = doc.span(path);
  if (!span) return undefined;
  const bytes = doc.bytes.subarray(span.start, span.end);
  return new Payload(bytes, valueAt(doc.value, path));
}

function valueAt(value: Json | undefined, path: Path): Json | undefined {
  return path.reduce<Json | undefined>((at, step) => (isObject(at) ? at[step] : undefined), value);
}

function verdictOf({ stage, verdict, would }: Step): RecordVerdict {
  switch (verdict.effect) {
    case 'pass':
      return { effect: 'pass', stage, would, rules: [...verdict.rules] };
    case 'deny': {
      const { rules, reason, detail } = verdict;
      return { effect: 'deny', stage, would, rules: [...rules], reason, detail };
    }
    case 'hold':
      return { effect: 'hold', stage, would, rules: [] };
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
    agent,
    person,
    groups: [...groups],
    chain: [...chain],
    proof: { ...proof },
  };
  principals.set(principal, made);
  return made;
}
