/** Whole and valid things to hand to a part in a test; `more` replaces what the test is about. */
import type { Store } from './store/store.ts';
import type { Doc, Json, JsonObject, Path, Span } from '../gateway/document.ts';
import type { Exchange, Message } from '../gateway/exchange.ts';
import { methodRow } from '../gateway/methods.ts';
import type { Arrival, Clock, Log } from '../gateway/ports.ts';
import { principalKey, type Principal } from '../gateway/principal.ts';
import type { PartDeps } from '../gateway/component.ts';
import { manualClock } from '../lib/clock.ts';
import { RECORD_VERSION, type AuditRecord } from './audit/record.ts';
import type { Question } from './policy/policy.ts';

export function samplePrincipal(subject: string, more: Partial<Principal> = {}): Principal {
  return {
    key: principalKey('default', 'samples', subject),
    tenant: 'default',
    issuer: 'samples',
    subject,
    agent: undefined,
    person: undefined,
    groups: [],
    chain: [],
    proof: { use: 'samples', strength: 'bearer' },
    expires: undefined,
    ...more,
  };
}

/** A POST from loopback. @param headers by lower-case name */
export function sampleArrival(headers: Readonly<Record<string, string>> = {}, more: Partial<Arrival> = {}): Arrival {
  return {
    verb: 'POST',
    endpoint: { kind: 'joint' },
    header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
    duplicates: [],
    peer: { address: '127.0.0.1', encrypted: false, certificate: undefined },
    announced: 2,
    at: Date.UTC(2026, 0, 1),
    body: () => Promise.resolve(Buffer.from('{}')),
    ...more,
  };
}

export function sampleDoc(value: Json): Doc {
  const text = JSON.stringify(value);
  const bytes = Buffer.from(text);
  const span = (path: Path): Span | undefined => {
    const found = place(value, path);
    return (
      found && {
        start: Buffer.byteLength(text.slice(0, found.start)),
        end: Buffer.byteLength(text.slice(0, found.end)),
      }
    );
  };
  const raw = (path: Path): string | undefined => {
    const found = place(value, path);
    return found && text.slice(found.start, found.end);
  };
  return { bytes, value, span, raw };
}

/** Offsets into what `JSON.stringify` writes: no spaces, members in order. */
function place(value: Json, [step, ...rest]: Path): Span | undefined {
  if (step === undefined) return { start: 0, end: JSON.stringify(value).length };
  if (typeof value !== 'object' || value === null) return undefined;
  let start = 1;
  for (const [key, child] of Object.entries(value)) {
    if (!Array.isArray(value)) start += JSON.stringify(key).length + 1;
    const inside = key === String(step) ? place(child, rest) : undefined;
    if (inside) return { start: start + inside.start, end: start + inside.end };
    start += JSON.stringify(child).length + 1;
  }
  return undefined;
}

/** A `tools/call` of an agent. */
export function sampleCall(name: string, args: JsonObject = {}): Message {
  const value = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } };
  return { kind: 'opening', method: 'tools/call', doc: sampleDoc(value), payload: 'params' };
}

/** A server's answer to a `tools/call`. */
export function sampleResult(result: JsonObject): Message {
  return {
    kind: 'closing',
    method: 'tools/call',
    doc: sampleDoc({ jsonrpc: '2.0', id: 0, result }),
    payload: 'result',
  };
}

export function sampleExchange(more: Partial<Exchange> = {}): Exchange {
  const row = methodRow('agent', 'tools/call');
  if (!row) throw new Error('tools/call has no row');
  const at = Date.UTC(2026, 0, 1);
  return {
    id: 'sample-exchange',
    parent: undefined,
    resumes: undefined,
    row,
    principal: samplePrincipal('ada'),
    endpoint: { kind: 'joint' },
    era: 'modern',
    version: '2026-07-28',
    requestId: '1',
    session: undefined,
    caps: {},
    clientInfo: undefined,
    progressToken: undefined,
    logLevel: undefined,
    opening: sampleCall('read'),
    run: 'sample-run',
    opened: at,
    deadline: at + 60_000,
    trail: [],
    epoch: 0,
    target: { of: 'definition', server: 'files', kind: 'tool', name: 'read', definition: undefined },
    state: 'open',
    ...more,
  };
}

/** May `ada` call the tool `read` of the server `files`? */
export function sampleQuestion(more: Partial<Question> = {}): Question {
  return {
    principal: samplePrincipal('ada'),
    action: 'tool.call',
    resource: { endpoint: { kind: 'joint' }, server: 'files', kind: 'tool', name: 'read', definition: undefined },
    params: { name: 'read', arguments: {} },
    facts: {},
    labels: [],
    method: 'tools/call',
    at: 1_700_000_000_000,
    peer: '127.0.0.1',
    run: 'sample-run',
    risk: 0,
    ...more,
  };
}

const base = {
  v: RECORD_VERSION,
  at: '2026-01-01T00:00:00.000Z',
  gateway: { name: 'sallyport', version: '0.0.0', config: 'sample' },
} as const;

export function sampleAttempt(exchange: string, args: JsonObject = {}): AuditRecord {
  const { key, tenant, issuer, subject, proof } = samplePrincipal('ada');
  return {
    ...base,
    id: `attempt-of-${exchange}`,
    type: 'attempt',
    exchange,
    run: 'sample-run',
    principal: { key, tenant, issuer, subject, groups: [], chain: [], proof },
    era: 'modern',
    version: '2026-07-28',
    method: 'tools/call',
    requestId: '1',
    endpoint: '/mcp',
    server: 'files',
    kind: 'tool',
    name: 'read',
    opener: 'agent',
    params: { sha256: 'sample', bytes: JSON.stringify(args).length, json: args },
    verdicts: [],
    obligations: [],
    epoch: 0,
  };
}

export function sampleOutcome(exchange: string, result: JsonObject = {}): AuditRecord {
  return {
    ...base,
    id: `outcome-of-${exchange}`,
    type: 'outcome',
    exchange,
    run: 'sample-run',
    status: 'result',
    result: { sha256: 'sample', bytes: JSON.stringify(result).length, json: result },
    verdicts: [],
    findings: [],
    labels: [],
    milliseconds: 1,
  };
}

const quiet = (): void => undefined;
const silent: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

/** What a part may use of the house. @param data an empty folder that the test removes */
export function sampleDeps(data: string, more: Partial<PartDeps> = {}): PartDeps {
  const clock: Clock = manualClock();
  const absent = (): never => {
    throw new Error('sampleDeps has neither key ring nor store: give them if the part uses them');
  };
  return {
    clock,
    log: silent,
    keyring: { seal: absent, open: absent, refresh: absent },
    store: new Proxy({} as Store, { get: absent }),
    tenant: 'default',
    data,
    gateway: { name: 'sallyport', version: '0.0.0' },
    servers: ['files'],
    ...more,
  };
}
