/** Which session, run and exchange does the message belong to? Law 10: looked up under the verified principal only. */
import { openHandles } from '../handles.ts';
import type { House } from '../house.ts';
import type { Open } from '../ledger.ts';
import { methodRow, type MethodRow } from '../methods.ts';
import { newExchange, register } from '../open-exchange.ts';
import { resumeRetry } from '../resume.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';

export function correlate(house: House): Stage {
  return { name: 'correlate', pass: (crossing) => session(crossing, house) ?? belongs(crossing, house) };
}

/** Modern messages have no session; `initialize` makes one; everything else legacy needs a live one of this principal. */
function session(crossing: Crossing, house: House): Verdict | undefined {
  const { reading, arrival, principal } = crossing;
  if (reading.era === 'modern' || reading.message.method === 'initialize') return undefined;
  if (reading.sessionToken === undefined)
    return sessionless(reading.message.method) ? undefined : deny('session_missing');
  crossing.session = house.sessions.find(reading.sessionToken, principal, arrival.endpoint ?? { kind: 'joint' });
  return crossing.session ? undefined : deny('session_unknown');
}

function sessionless(method: string): boolean {
  return method === 'ping';
}

function belongs(crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  switch (crossing.kind) {
    case 'opening':
      return opening(crossing, house);
    case 'event':
      return event(crossing, house);
    case 'closing':
      return closing(crossing, house);
  }
}

function opening(crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  const row = methodRow('agent', crossing.reading.message.method);
  if (!row || !spoken(row, crossing)) {
    return deny(crossing.reading.era === 'modern' ? 'method_unknown' : 'method_unknown_legacy');
  }
  const { requestId } = crossing.reading;
  if (
    crossing.session &&
    requestId !== undefined &&
    house.ledger.request(crossing.session.id, requestId, crossing.principal.key)
  ) {
    return deny('request_id_in_use');
  }
  const retry = resumeRetry(crossing, row, house);
  return retry instanceof Promise
    ? retry.then((resumed) => begin(crossing, row, house, resumed))
    : begin(crossing, row, house, retry);
}

/** A method exists in its eras and on its wire only: no call without an id to answer, no verb of the transport in a body. */
function spoken({ eras, wire }: MethodRow, { reading, arrival }: Crossing): boolean {
  if (!eras.includes(reading.era) || (wire === 'http') !== (arrival.verb !== 'POST')) return false;
  return (wire === 'request') === (reading.requestId !== undefined);
}

function begin(crossing: Crossing, row: MethodRow, house: House, resumed: string | undefined | Verdict): Verdict {
  if (typeof resumed === 'object') return resumed;
  if (crossing.abandoned) return deny('cancelled', { detail: 'the agent hung up' });
  crossing.exchange = newExchange(crossing, row, house, resumed);
  register(crossing.exchange, crossing.reply, house);
  return PASS;
}

/** `notifications/cancelled` and `notifications/progress` name another exchange: a request of the agent's, or an ask it is answering. */
function event(crossing: Crossing, house: House): Verdict {
  const open = meant(crossing, house);
  if (!open) return deny('event_unexpected');
  crossing.exchange = open.exchange;
  return PASS;
}

function meant(crossing: Crossing, house: House): Open | undefined {
  if (!crossing.session) return undefined;
  const { doc, method } = crossing.message;
  const { id, key } = { id: crossing.session.id, key: crossing.principal.key };
  if (method === 'notifications/cancelled') {
    const requestId = doc.raw(['params', 'requestId']);
    return requestId === undefined ? undefined : house.ledger.request(id, requestId, key);
  }
  const token = doc.raw(['params', 'progressToken']);
  return token === undefined ? undefined : only(house.ledger.ofSession(id), (open) => answers(open, token, key));
}

function answers({ exchange }: Open, token: string, key: string): boolean {
  return exchange.row.opener === 'server' && exchange.progressToken === token && exchange.principal.key === key;
}

/** Servers choose their tokens without knowing of each other: what could mean two is dropped (law 10). */
function only(opens: Iterable<Open>, meant: (open: Open) => boolean): Open | undefined {
  const found = [...opens].filter(meant);
  return found.length === 1 ? found[0] : undefined;
}

function closing(crossing: Crossing, house: House): Verdict {
  const { requestId } = crossing.reading;
  const open =
    crossing.session && requestId !== undefined
      ? house.ledger.ask(crossing.session.id, requestId, crossing.principal.key)
      : undefined;
  if (!open) return deny('answer_unexpected');
  crossing.exchange = open.exchange;
  const answer = { ...crossing.message, method: open.exchange.row.method };
  crossing.message = openHandles({ principal: crossing.principal, endpoint: open.exchange.endpoint }, answer, house);
  return PASS;
}
