/** What is fuzzed: each target takes any bytes, and throws when something that always holds does not. */
import assert from 'node:assert/strict';
import { isObject } from '../../src/gateway/document.ts';
import type { Json } from '../../src/gateway/document.ts';
import type { Message } from '../../src/gateway/exchange.ts';
import type { Arrival } from '../../src/gateway/ports.ts';
import { deny } from '../../src/gateway/verdict.ts';
import { idAt, readMessage } from '../../src/mcp/codec/envelope.ts';
import { decodeHeaderValue, encodeHeaderValue, headerMismatch, mirroredHeaders } from '../../src/mcp/codec/headers.ts';
import { parseJson, splice } from '../../src/mcp/codec/json.ts';
import type { Doc, Path } from '../../src/mcp/codec/json.ts';
import { LineReader } from '../../src/mcp/codec/lines.ts';
import { SseReader } from '../../src/mcp/codec/sse.ts';
import { createReader } from '../../src/mcp/downstream/read.ts';
import type { Call, Sink } from '../../src/mcp/upstream/connection.ts';
import { Switchboard } from '../../src/mcp/upstream/switchboard.ts';
import { SILENT } from '../fixtures/agent-edge.ts';
import { exchange } from '../fixtures/upstream/kit.ts';

export type Target = (bytes: Buffer) => void;

const LIMITS = { bytes: 64 * 1024, depth: 32 };
const FRAME = 4096;

export const TARGETS: Readonly<Record<string, Target>> = {
  json: fuzzJson,
  envelope: fuzzEnvelope,
  sse: fuzzSse,
  lines: fuzzLines,
  headers: fuzzHeaders,
  read: fuzzRead,
  switchboard: fuzzSwitchboard,
};

/** What is accepted is what JSON.parse reads, and an edit changes nothing beside it; what is refused as no JSON is none. */
function fuzzJson(bytes: Buffer): void {
  const parsed = parseJson(Buffer.from(bytes), LIMITS);
  if (!parsed.ok) {
    const stricter = ['duplicate_key', 'too_deep', 'too_large', 'bom', 'utf8'].includes(parsed.fault);
    if (!stricter) assert.throws(() => JSON.parse(bytes.toString()) as unknown, parsed.fault);
    return;
  }
  const { doc } = parsed;
  assert.deepStrictEqual(doc.value, JSON.parse(bytes.toString()));
  everywhere(doc, doc.value, []);
  if (isObject(doc.value)) edited(doc, doc.value);
}

/** Each value stands where its span says. */
function everywhere(doc: Doc, value: Json, path: Path): void {
  const raw = doc.raw(path);
  assert.ok(raw !== undefined, path.join('.'));
  assert.deepStrictEqual(JSON.parse(raw), value);
  if (Array.isArray(value)) for (const [at, item] of value.slice(0, 4).entries()) everywhere(doc, item, [...path, at]);
  else if (isObject(value))
    for (const [key, item] of Object.entries(value).slice(0, 4)) everywhere(doc, item, [...path, key]);
}

function edited(doc: Doc, value: { readonly [key: string]: Json }): void {
  const set = splice(doc, [{ op: 'set', path: ['id'], json: '[1]' }]);
  assert.deepStrictEqual(sorted(JSON.parse(set.toString()) as Json), sorted({ ...value, id: [1] }));
  const key = Object.keys(value)[0];
  if (key === undefined) return;
  const removed = splice(doc, [{ op: 'remove', path: [key] }]);
  const rest = Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));
  assert.deepStrictEqual(sorted(JSON.parse(removed.toString()) as Json), sorted(rest));
}

function sorted(value: Json): [string, Json][] {
  return Object.entries(value as object).sort(([a], [b]) => (a < b ? -1 : 1)) as [string, Json][];
}

/** A message is one kind of thing, and its id is one text. */
function fuzzEnvelope(bytes: Buffer): void {
  const read = readMessage(Buffer.from(bytes), LIMITS);
  if (!read.ok) {
    assert.ok(read.code === -32700 || read.code === -32600);
    assert.ok(read.message.length < 2_000 && read.detail.length > 0);
    return;
  }
  const { doc, envelope } = read;
  assert.ok(isObject(doc.value) && doc.value['jsonrpc'] === '2.0');
  if ('id' in envelope && envelope.id !== undefined) {
    assert.equal(envelope.id, idAt(doc, ['id']));
    assert.deepStrictEqual(JSON.parse(envelope.id), doc.value['id']);
  }
}

/** The first byte says how large the pieces are: the same comes out as of one. */
function fuzzSse(bytes: Buffer): void {
  const whole = eventsOf(bytes.subarray(1), bytes.length);
  const pieces = eventsOf(bytes.subarray(1), 1 + (bytes[0] ?? 0));
  assert.deepStrictEqual(pieces, whole);
}

function eventsOf(bytes: Buffer, size: number): string[] {
  const out: string[] = [];
  const reader = new SseReader(
    { event: FRAME },
    {
      event: ({ event, data, id }) => void out.push(`event ${event} ${id} ${data.toString('hex')}`),
      fault: ({ fault }) => void out.push(`fault ${fault}`),
      id: (id) => void out.push(`id ${id}`),
      retry: (retry) => void out.push(`retry ${retry}`),
    },
  );
  for (let at = 0; at < bytes.length; at += size) reader.push(Buffer.from(bytes.subarray(at, at + size)));
  reader.end();
  return out;
}

function fuzzLines(bytes: Buffer): void {
  const whole = linesOf(bytes.subarray(1), bytes.length);
  const pieces = linesOf(bytes.subarray(1), 1 + (bytes[0] ?? 0));
  assert.deepStrictEqual(pieces, whole);
}

function linesOf(bytes: Buffer, size: number): string[] {
  const out: string[] = [];
  const reader = new LineReader(
    { line: 64 },
    {
      line: (line) => {
        assert.ok(line.length > 0 && line.length <= 64 && !line.includes(10));
        out.push(line.toString('hex'));
      },
      fault: ({ fault }) => void out.push(fault),
    },
  );
  for (let at = 0; at < bytes.length; at += size) reader.push(Buffer.from(bytes.subarray(at, at + size)));
  reader.end();
  return out;
}

/** `{"params":…,"schema":…}`: what this side writes, this side reads back; any text survives a header. */
function fuzzHeaders(bytes: Buffer): void {
  const text = bytes.toString();
  assert.equal(decodeHeaderValue(encodeHeaderValue(text)), text);
  const decoded = decodeHeaderValue(bytes.toString('latin1'));
  if (decoded !== undefined) assert.equal(decodeHeaderValue(encodeHeaderValue(decoded)), decoded);
  const parsed = parseJson(Buffer.from(bytes), LIMITS);
  if (!parsed.ok || !isObject(parsed.doc.value)) return;
  const { params, schema } = parsed.doc.value;
  if (!isObject(params)) return;
  const { name } = params;
  if (typeof name === 'string' && !name.isWellFormed()) return;
  const headers = new Map(
    mirroredHeaders('tools/call', params, schema).map((one) => [one.name.toLowerCase(), one.value]),
  );
  for (const value of headers.values()) assert.match(value, /^[\t\x20-\x7e]*$/);
  if (typeof name !== 'string') return;
  const found = headerMismatch((header) => headers.get(header.toLowerCase()), 'tools/call', params, schema);
  // values without a header (a wrong type, beyond 2^53) are refused by the server, not by this side
  if (found) assert.equal(found.reason, 'missing');
}

/** Header lines, a blank line, a body. */
function fuzzRead(bytes: Buffer): void {
  const end = bytes.indexOf('\n\n');
  const head = bytes.subarray(0, Math.max(0, end)).toString('latin1').split('\n');
  const body = Buffer.from(end < 0 ? bytes : bytes.subarray(end + 2));
  const headers = new Map(
    head.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1)]),
  );
  const verb = (['POST', 'GET', 'DELETE'] as const).find((one) => one === headers.get(':verb')) ?? 'POST';
  const reading = createReader(LIMITS).read(arrivalOf(verb, headers, body), body);
  assert.ok(reading.era === 'modern' || reading.era === 'legacy');
  if (!reading.ok) return assert.equal(reading.verdict.effect, 'deny');
  if (verb === 'POST') assert.deepStrictEqual(reading.message.doc.value, JSON.parse(body.toString()));
  if (reading.era === 'modern') assert.equal(reading.sessionToken, undefined);
}

function arrivalOf(verb: Arrival['verb'], headers: ReadonlyMap<string, string>, body: Buffer): Arrival {
  return {
    verb,
    endpoint: { kind: 'joint' },
    header: (name) => headers.get(name),
    duplicates: [],
    peer: { address: '127.0.0.1', encrypted: false, certificate: undefined },
    announced: body.length,
    at: 0,
    body: () => Promise.resolve(body),
  };
}

/** Lines; the first character of each says on whose stream (0: nobody's) the rest comes. Three calls are open. */
function fuzzSwitchboard(bytes: Buffer): void {
  const board = new Switchboard(LIMITS, {
    news: () => undefined,
    standing: () => undefined,
    reply: (json) => assert.ok(readMessage(json, { bytes: 1e6, depth: 64 }).ok, json.toString()),
    log: SILENT,
    server: 's',
  });
  const heard = [1, 2, 3].map(() => listener(board));
  for (const line of bytes.toString('latin1').split('\n')) {
    const carrier = heard[Number(line[0]) - 1]?.call;
    void board.receive(Buffer.from(line.slice(1), 'latin1'), carrier);
  }
  board.failAll('upstream_lost', 'over');
  for (const { call, closings, ends } of heard) {
    assert.equal(ends(), 1, 'one end');
    for (const { doc } of closings) assert.equal(idAt(doc, ['id']), call.id);
  }
}

function listener(board: Switchboard): { call: Call; closings: Message[]; ends: () => number } {
  const closings: Message[] = [];
  let fails = 0;
  const sink: Sink = {
    event: () => undefined,
    ask: (_message, answered) => answered(deny('ask_not_possible')),
    close: (message) => void closings.push(message),
    fail: () => void (fails += 1),
  };
  const asked = exchange({ server: 's', more: { progressToken: '"mine"' } });
  const call = board.call('tools/call', sink, asked, undefined);
  return { call, closings, ends: () => closings.length + fails };
}
