/**
 * Multi-round-trip requests (2026-07-28 basic/patterns/mrtr): the server's `requestState` crosses us twice. Toward the agent
 * it is sealed together with who asked what; on the retry it is opened only for the same principal, endpoint, method and
 * params, and only once. A shared upstream cannot tell principals apart, so the binding is our duty.
 */
import { canonicalDigest } from '../lib/canonical-json.ts';
import { isObject, type Edit, type Json } from './document.ts';
import type { Message } from './exchange.ts';
import type { House } from './house.ts';
import type { Claims } from './keyring.ts';
import type { MethodRow } from './methods.ts';
import type { Principal } from './principal.ts';
import { endpointName } from './records.ts';
import type { Crossing } from './stage.ts';
import { deny, type Verdict } from './verdict.ts';

const PURPOSE = 'requestState';
/** A person who was asked may need a while; a state that is older is started again. */
const LIFETIME = 60 * 60 * 1000;

/** Closing of an agent's request, outward: `input_required` gets our own state around the server's. */
export function sealRetry(
  { exchange, message, asks, parks }: Pick<Crossing, 'exchange' | 'message' | 'asks' | 'parks'>,
  house: House,
): Message {
  const result = member(message.doc.value, 'result');
  if (exchange.row.opener !== 'agent' || !isObject(result) || result['resultType'] !== 'input_required') return message;
  const claims: Claims = {
    expires: house.clock.now() + LIFETIME,
    exchange: exchange.id,
    asks: Object.fromEntries(asks.map(({ key, id }) => [key, id])),
    state: result['requestState'] ?? null,
    parks,
  };
  const sealed = house.keyring.seal(
    PURPOSE,
    claims,
    binding(exchange.principal, endpointName(exchange.endpoint), exchange.row, exchange.opening),
  );
  const edit: Edit = { op: 'set', path: ['result', 'requestState'], json: JSON.stringify(sealed) };
  return { ...message, doc: house.codec.edit(message.doc, [edit]) };
}

/** Inward: the id of the exchange that this request continues; undefined when it continues none; a denial when it pretends to. */
export function resumeRetry(
  crossing: Crossing,
  row: MethodRow,
  house: House,
): string | undefined | Verdict | Promise<string | Verdict> {
  const params = member(crossing.message.doc.value, 'params');
  const sealed = isObject(params) ? params['requestState'] : undefined;
  if (crossing.reading.era !== 'modern' || sealed === undefined) return undefined;
  if (typeof sealed !== 'string') return deny('retry_mismatch', { detail: 'requestState is not a string' });
  const endpoint = endpointName(crossing.arrival.endpoint ?? { kind: 'joint' });
  const opened = house.keyring.open(PURPOSE, sealed, binding(crossing.principal, endpoint, row, crossing.message));
  if (!opened.ok) return deny('retry_mismatch', { detail: `requestState: ${opened.fault}` });
  return once(crossing, opened.claims, house);
}

async function once(crossing: Crossing, claims: Claims, house: House): Promise<string | Verdict> {
  const exchange = String(claims['exchange']);
  crossing.asked = claims['asks'] as Record<string, string>;
  const parks = claims['parks'] === true;
  if (parks && !house.parked.has(exchange)) return deny('retry_lost');
  if (!(await house.consume(`retry:${exchange}`, claims.expires)))
    return deny('retry_mismatch', { detail: 'requestState was used before' });
  // Not before it is certain that this retry is the one: a refused retry gives up the call that it continues.
  crossing.continues = house.parked.get(exchange);
  if (parks && !crossing.continues) return deny('retry_lost');
  const state = claims['state'];
  const edit: Edit =
    typeof state === 'string'
      ? { op: 'replace', path: ['params', 'requestState'], json: JSON.stringify(state) }
      : { op: 'remove', path: ['params', 'requestState'] };
  crossing.message = { ...crossing.message, doc: house.codec.edit(crossing.message.doc, [edit]) };
  return exchange;
}

/** What may differ between a request and its retry. */
const ADDED = new Set(['_meta', 'inputResponses', 'requestState']);

/** The same caller, at the same door, asking for the same: everything but what a retry may add. */
function binding(principal: Principal, endpoint: string, row: MethodRow, opening: Message): readonly string[] {
  const params = member(opening.doc.value, 'params');
  const asked = Object.entries(isObject(params) ? params : {}).filter(([name]) => !ADDED.has(name));
  const exact = asked.map(([name, value]): [string, Json] => [name, exactly(opening, name, value)]);
  return [principal.key, endpoint, row.method, canonicalDigest(Object.fromEntries(exact))];
}

/** The tree rounds integers that no double holds: two such calls would have one digest, so their texts are compared. */
function exactly({ doc }: Message, name: string, value: Json): Json {
  const text = doc.raw(['params', name]) ?? '';
  return /[0-9]{16}/.test(text) ? text : value;
}

function member(value: Json, name: string): Json | undefined {
  return isObject(value) ? value[name] : undefined;
}
