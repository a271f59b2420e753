/**
 * What this hop changes of a request: id, the server's own names, `_meta` of the hop. Everything else goes on byte for
 * byte (law 2). The keys `io.modelcontextprotocol/*` speak of one hop only (2026-07-28 basic/index#meta): those of the
 * caller are taken out, and minted anew for a modern server.
 */
import type { Edit, Json, JsonObject } from '../../gateway/document.ts';
import { isObject } from '../../gateway/document.ts';
import type { Era, Exchange, Id } from '../../gateway/exchange.ts';
import type { Hop } from '../../gateway/ports.ts';
import { splice } from '../codec/json.ts';

export const MODERN_VERSION = '2026-07-28';

const PREFIX = 'io.modelcontextprotocol/';
/** Tasks of 2025-11-25 name their task in these: they belong to the message, not to the hop. */
const LEGACY_OWN = new Set([`${PREFIX}related-task`, `${PREFIX}model-immediate-response`]);

/** The bytes of an exchange's opening for a server of this era. `own`: how the gateway names itself for the nameless. */
export function outgoing(
  exchange: Exchange,
  id: Id,
  era: Era,
  own: JsonObject,
  trace?: Readonly<Record<string, string>>,
): Buffer {
  const { doc } = exchange.opening;
  const params = isObject(doc.value) ? doc.value['params'] : undefined;
  const edits: Edit[] = [{ op: 'set', path: ['id'], json: id }];
  nameEdits(edits, exchange, params);
  roundEdits(edits, exchange, params, era);
  const minted = mint(exchange, id, era, own, isObject(params) ? params['_meta'] : undefined);
  for (const [key, value] of Object.entries(trace ?? {})) minted.set(key, JSON.stringify(value));
  metaEdits(edits, params, minted, era);
  return splice(doc, edits);
}

/**
 * Words of multi-round-trip requests (2026-07-28 basic/patterns/mrtr) mean nothing to a legacy server, and nothing in the
 * mouth of a legacy agent: between the eras it is the gateway that asks, and its rounds have a parent.
 */
function roundEdits(edits: Edit[], exchange: Exchange, params: Json | undefined, era: Era): void {
  if (exchange.era === era || exchange.parent !== undefined || !isObject(params)) return;
  for (const name of ['inputResponses', 'requestState']) {
    if (Object.hasOwn(params, name)) edits.push({ op: 'remove', path: ['params', name] });
  }
}

/** Parameters of a request of the gateway's own. */
export function ownParams(
  params: JsonObject,
  hop: Pick<Hop, 'caps' | 'clientInfo'>,
  era: Era,
  own: JsonObject,
): string {
  if (era === 'legacy') return JSON.stringify(params);
  const meta = isObject(params['_meta']) ? params['_meta'] : {};
  return JSON.stringify({ ...params, _meta: { ...meta, ...modernMeta(hop, own) } });
}

function modernMeta({ caps, clientInfo }: Pick<Hop, 'caps' | 'clientInfo'>, own: JsonObject): JsonObject {
  return {
    [`${PREFIX}protocolVersion`]: MODERN_VERSION,
    [`${PREFIX}clientCapabilities`]: caps,
    [`${PREFIX}clientInfo`]: clientInfo ?? own,
  };
}

/** A modern agent's own bytes say already what this hop says. */
const AS_IT_STANDS = '';

/** The members of `_meta` that this hop says, as JSON texts. */
function mint(exchange: Exchange, id: Id, era: Era, own: JsonObject, meta: Json | undefined): Map<string, string> {
  const minted = new Map<string, string>();
  if (exchange.progressToken !== undefined) minted.set('progressToken', id);
  if (era === 'legacy') return minted;
  const stands = isObject(meta) ? meta : {};
  for (const [key, value] of Object.entries(modernMeta(exchange, own)))
    minted.set(key, stands[key] === value ? AS_IT_STANDS : textOf(value));
  const level = exchange.logLevel ?? unasked(exchange);
  if (level !== undefined) minted.set(`${PREFIX}logLevel`, JSON.stringify(level));
  return minted;
}

/** Names and capabilities stay the same objects for as long as a session, the gateway's own for ever. */
const texts = new WeakMap<object, string>();

function textOf(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let text = texts.get(value);
  if (text === undefined) {
    text = JSON.stringify(value);
    texts.set(value, text);
  }
  return text;
}

/** A legacy agent that set no level leaves it to the server; a modern server says nothing unless it is asked. */
function unasked({ era }: Exchange): string | undefined {
  return era === 'legacy' ? 'info' : undefined;
}

function metaEdits(edits: Edit[], params: Json | undefined, minted: Map<string, string>, era: Era): void {
  const meta = isObject(params) ? params['_meta'] : undefined;
  if (!isObject(meta)) return addMeta(edits, params, minted);
  for (const key of Object.keys(meta)) {
    if (!minted.has(key) && isOfHop(key, era)) edits.push({ op: 'remove', path: ['params', '_meta', key] });
  }
  for (const [key, json] of minted)
    if (json !== AS_IT_STANDS) edits.push({ op: 'set', path: ['params', '_meta', key], json });
}

function addMeta(edits: Edit[], params: Json | undefined, minted: Map<string, string>): void {
  if (minted.size === 0) return;
  const meta = `{${[...minted].map(([key, json]) => `${JSON.stringify(key)}:${json}`).join(',')}}`;
  if (isObject(params)) edits.push({ op: 'set', path: ['params', '_meta'], json: meta });
  else edits.push({ op: 'set', path: ['params'], json: `{"_meta":${meta}}` });
}

function isOfHop(key: string, era: Era): boolean {
  if (key === 'progressToken') return true;
  return key.startsWith(PREFIX) && !(era === 'legacy' && LEGACY_OWN.has(key));
}

/** The server knows its tools, prompts and tasks by its own names. URIs are never rewritten. */
function nameEdits(edits: Edit[], exchange: Exchange, params: Json | undefined): void {
  const { target } = exchange;
  if (!isObject(params)) return;
  if (target.of === 'task') return rename(edits, ['params', 'taskId'], params['taskId'], target.task);
  if (target.of !== 'definition' || (target.kind !== 'tool' && target.kind !== 'prompt')) return;
  const { ref } = params;
  if (isObject(ref)) rename(edits, ['params', 'ref', 'name'], ref['name'], target.name);
  else rename(edits, ['params', 'name'], params['name'], target.name);
}

function rename(edits: Edit[], path: readonly string[], now: Json | undefined, name: string): void {
  if (now !== undefined && now !== name) edits.push({ op: 'replace', path, json: JSON.stringify(name) });
}

/** The parameters as the server will see them, as far as mirrored headers read them. */
export function mirroredParams(exchange: Exchange): JsonObject | undefined {
  const { target, opening } = exchange;
  const params = isObject(opening.doc.value) ? opening.doc.value['params'] : undefined;
  if (!isObject(params)) return undefined;
  if (target.of === 'task') return { ...params, taskId: target.task };
  if (target.of !== 'definition' || params['name'] === target.name) return params;
  return target.kind === 'tool' || target.kind === 'prompt' ? { ...params, name: target.name } : params;
}
