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
  if (!row) return deny('method_unknown');
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

function begin(crossing: Crossing, row: MethodRow, house: House, resumed: string | undefined | Verdict): Verdict {
  if (typeof resumed === 'object') return resumed;
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
  for (const open of house.ledger.ofSession(id)) {
    if (open.exchange.row.opener === 'server' && token !== undefined && open.exchange.progressToken === token)
      return owned(open, key);
  }
  return undefined;
}

function owned(open: Open, key: string): Open | undefined {
  return open.exchange.principal.key === key ? open : undefined;
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
