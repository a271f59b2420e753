/** One request of the admin API: found, judged, recorded, checked, done, recorded. In this order, for every row. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import { keep, type House } from '../gateway/house.ts';
import { quietly } from '../gateway/open-exchange.ts';
import type { Arrival } from '../gateway/ports.ts';
import { noticeRecord } from '../gateway/records.ts';
import { reasonText } from '../gateway/reasons.ts';
import { parseJson } from '../mcp/codec/json.ts';
import { pathOf, peerOf } from '../mcp/downstream/arrival.ts';
import type { Route } from '../mcp/downstream/listen.ts';
import { authorized, statusOf, type Judged } from './authorized.ts';
import type { AdminSources, Operation, Outcome, Problem } from './operation.ts';
import { OPERATIONS } from './operations.ts';

const BASE = '/admin/v1';
const LIMITS = { bytes: 256 * 1024, depth: 16 };

/** What the door is: whose word its addresses and certificates are. */
export interface Door {
  readonly kind: 'tcp' | 'socket';
  readonly asksCertificate: boolean;
}

interface Found {
  readonly row: Operation;
  readonly params: Readonly<Record<string, string>>;
}

/** Finds whatever stands below `/admin/v1`; a path that is no operation is refused like one that is, to whoever may not know. */
export function adminDoor(house: House, sources: AdminSources, door: Door): (path: string) => Route | undefined {
  return (path) => {
    if (path !== BASE && !path.startsWith(`${BASE}/`)) return undefined;
    return (request, response) => void serve(request, response, house, sources, door);
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  house: House,
  sources: AdminSources,
  door: Door,
): Promise<void> {
  const found = findRow(request.method ?? '', pathOf(request.url ?? '/').slice(BASE.length));
  const action = found?.row.action ?? 'admin.unknown.read';
  const peer = peerOf(request, door.kind, door.asksCertificate);
  const judged = await authorized(action, request, peer, house, { known: (one) => sources.agents.asGuest(one) });
  try {
    await answer(response, found, judged, house, sources);
  } catch (error) {
    house.log.error({ err: error, action }, 'an administrative request failed');
    tell(response, { status: 500, title: 'The request failed.', remedy: "See the gateway's log." });
  } finally {
    judged.done();
  }
}

async function answer(
  response: ServerResponse,
  found: Found | undefined,
  judged: Judged,
  house: House,
  sources: AdminSources,
): Promise<void> {
  if (judged.refused) return refuse(response, found, judged, house);
  if (!found)
    return tell(response, { status: 404, title: 'There is no such operation.', remedy: `Read ${BASE}/openapi.json.` });
  const { row, params } = found;
  const read = row.body ? await bodyOf(judged.arrival, row.body) : { ok: true as const, body: undefined };
  if (!read.ok) {
    await quietly(() => note(house, row, judged, { params, malformed: true }), house);
    return tell(response, read.problem);
  }
  // Kept before it is done (law 5): what cannot be recorded is not done.
  if (!(await kept(() => note(house, row, judged, { params, input: read.body }), house)))
    return tell(response, {
      status: 503,
      title: reasonText('record_unavailable').tell,
      remedy: reasonText('record_unavailable').remedy,
    });
  const outcome = await row.run({ params, body: read.body, sources });
  if (row.verb !== 'GET') {
    const status = outcome.ok ? row.status : outcome.problem.status;
    await quietly(
      () => keep(house, noticeRecord('admin.outcome', { operation: row.id, params, status }, house)),
      house,
    );
  }
  give(response, row, outcome);
}

async function refuse(response: ServerResponse, found: Found | undefined, judged: Judged, house: House): Promise<void> {
  const { reason, detail } = judged.refused!;
  await quietly(() => note(house, found?.row, judged, { params: found?.params ?? {}, reason, detail }), house);
  if (judged.challenges.length > 0) response.setHeader('www-authenticate', judged.challenges.join(', '));
  const { tell: title, remedy } = reasonText(reason);
  tell(response, { status: statusOf(reason), title, remedy });
}

function note(
  house: House,
  row: Operation | undefined,
  { principal, arrival, refused }: Judged,
  more: object,
): void | Promise<void> {
  const who = principal && {
    principal: principal.key,
    subject: principal.subject,
    agent: principal.agent,
    proof: principal.proof.use,
  };
  const details = { operation: row?.id ?? 'none', allowed: !refused, ...who, peer: arrival.peer.address, ...more };
  return keep(house, noticeRecord(row?.action ?? 'admin.unknown.read', present(details), house));
}

function present(details: object): object {
  return Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined));
}

async function kept(record: () => void | Promise<void>, house: House): Promise<boolean> {
  try {
    await record();
    return true;
  } catch (error) {
    house.log.error({ err: error }, 'an administrative request could not be recorded, so it was not carried out');
    return false;
  }
}

// ---- the row and the body ----------------------------------------------------------------------------------------

export function findRow(verb: string, path: string): Found | undefined {
  for (const row of OPERATIONS) {
    const params = row.verb === verb ? paramsIn(row.path, path) : undefined;
    if (params) return { row, params };
  }
  return undefined;
}

function paramsIn(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    if (name === undefined && part !== given[index]) return undefined;
    // Names hold nothing that needs an escape; what has one names nothing.
    if (name !== undefined) params[name] = given[index]!;
  }
  return params;
}

type Body = { readonly ok: true; readonly body: unknown } | { readonly ok: false; readonly problem: Problem };

async function bodyOf(arrival: Arrival, schema: z.ZodType): Promise<Body> {
  const bytes = await arrival.body(LIMITS.bytes);
  if (bytes === 'too_large' || bytes === 'gone') return wrong(413, 'The request is too large.', 'Send less.');
  if (bytes.length === 0) return checked(undefined, schema);
  if (!/^application\/json\s*(;|$)/i.test(arrival.header('content-type') ?? ''))
    return wrong(415, 'Content-Type must be application/json.', 'Say what is sent.');
  const parsed = parseJson(bytes, LIMITS);
  if (!parsed.ok) return wrong(400, `The request is not strict JSON: ${parsed.detail}.`, 'Correct it.');
  return checked(parsed.doc.value, schema);
}

function checked(value: unknown, schema: z.ZodType): Body {
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, body: result.data };
  const problems = result.error.issues.map(({ path, message }) => ({
    place: path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
    expected: message,
  }));
  const title = 'What was sent is not what this operation takes.';
  return { ok: false, problem: { status: 422, title, remedy: 'Correct the places that are named.', problems } };
}

function wrong(status: number, title: string, remedy: string): Body {
  return { ok: false, problem: { status, title, remedy } };
}

// ---- the answer --------------------------------------------------------------------------------------------------

function give(response: ServerResponse, { status }: Operation, outcome: Outcome): void {
  if (!outcome.ok) return tell(response, outcome.problem);
  if (outcome.body === undefined) return void response.writeHead(status, { 'cache-control': 'no-store' }).end();
  send(response, status, 'application/json', outcome.body);
}

function tell(response: ServerResponse, problem: Problem): void {
  send(response, problem.status, 'application/problem+json', problem);
}

function send(response: ServerResponse, status: number, type: string, body: unknown): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(`${JSON.stringify(body)}\n`);
}
