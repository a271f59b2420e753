/**
 * Does it belong to an open exchange that allows it? Answers to nobody, events that the exchange has no place for and asks
 * that the agent never said it could answer are stopped here.
 */
import { embeddedAsks } from '../asks.ts';
import { isObject, type JsonObject } from '../document.ts';
import type { Exchange } from '../exchange.ts';
import type { House } from '../house.ts';
import { methodRow } from '../methods.ts';
import type { Principal } from '../principal.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';

export function match(house: House): Stage {
  return { name: 'match', pass: (crossing) => judge(crossing, house) };
}

function judge(crossing: Crossing, house: House): Verdict {
  const { exchange, message } = crossing;
  if (exchange.state !== 'open') return deny('unsolicited', { detail: 'the exchange is over' });
  if (proofEnded(exchange.principal, house)) return deny('proof_ended', { detail: 'what it was opened with' });
  switch (crossing.kind) {
    case 'event':
      return event(exchange, message.method, crossing, house);
    case 'opening':
      return ask(exchange);
    case 'closing':
      return inputRequests(exchange, crossing, house);
  }
}

/** Timers may be late and revocations come at any time: nothing goes out to a proof that does not count any more. */
function proofEnded(principal: Principal, house: House): boolean {
  if (principal.expires !== undefined && house.clock.now() >= principal.expires) return true;
  return house.parts.identity.some((part) => part.holds?.(principal) === false);
}

function event(exchange: Exchange, method: string, crossing: Crossing, house: House): Verdict {
  const known = methodRow('server', method)?.eras.includes(exchange.era);
  if (!known || !exchange.row.events.includes(method))
    return deny('unsolicited', { detail: `${method} has no place in ${exchange.row.method}` });
  if (method !== 'notifications/message') return PASS;
  return logged(exchange, crossing, house) ? PASS : deny('below_log_level');
}

const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

/** 2026-07-28: no level, no logs. Before: no level, the server's own choice. */
function logged(exchange: Exchange, crossing: Crossing, house: House): boolean {
  const { session } = exchange;
  const wanted = session === undefined ? exchange.logLevel : house.sessions.level(session);
  if (wanted === undefined) return exchange.era === 'legacy';
  const params = isObject(crossing.message.doc.value) ? crossing.message.doc.value['params'] : undefined;
  const level = isObject(params) ? params['level'] : undefined;
  return typeof level === 'string' && LEVELS.indexOf(level) >= LEVELS.indexOf(wanted);
}

/** The child exchange of an ask: its parent must allow it, and its agent must be able to answer it on its own hop. */
function ask(child: Exchange): Verdict {
  const { parent, row } = child;
  if (!parent?.row.asks.includes(row.method))
    return deny('ask_not_possible', { detail: `${row.method} below ${parent?.row.method ?? 'nothing'}` });
  // A modern agent is asked by ending its request (park.ts), which only three methods allow (basic/patterns/mrtr).
  if (child.era === 'modern' && !PARKABLE.has(parent.row.method))
    return deny('ask_not_possible', {
      detail: `an agent of ${child.version} takes no requests during ${parent.row.method}`,
    });
  return capable(row.method, parent.caps) ? PASS : incapable(child);
}

const PARKABLE = new Set(['tools/call', 'prompts/get', 'resources/read']);

/** 2026-07-28 has an error for it, with the capability that is missing. */
function incapable({ era, row }: Exchange): Verdict {
  const detail = `${row.method} was not declared`;
  if (era === 'legacy') return deny('ask_not_possible', { detail });
  return deny('capability_missing', {
    detail,
    data: { requiredCapabilities: { [CAPABILITY[row.method] ?? row.method]: {} } },
  });
}

const CAPABILITY: Readonly<Record<string, string>> = {
  'sampling/createMessage': 'sampling',
  'elicitation/create': 'elicitation',
  'roots/list': 'roots',
};

/** A modern server asks within its result (basic/patterns/mrtr); the same rules hold for each of its requests. */
function inputRequests(exchange: Exchange, crossing: Crossing, house: House): Verdict {
  if (crossing.parks) return PASS;
  const asks = embeddedAsks(crossing.message, house.clock);
  if (typeof asks === 'string') return deny('ask_not_possible', { detail: asks });
  for (const { row } of asks) {
    if (!exchange.row.asks.includes(row.method))
      return deny('ask_not_possible', { detail: `${row.method} below ${exchange.row.method}` });
    if (!capable(row.method, exchange.caps))
      return deny('ask_not_possible', { detail: `${row.method} was not declared` });
  }
  crossing.asks = asks;
  return PASS;
}

function capable(method: string, caps: JsonObject): boolean {
  switch (method) {
    case 'sampling/createMessage':
      return isObject(caps['sampling']);
    case 'elicitation/create':
      return isObject(caps['elicitation']);
    case 'roots/list':
      return isObject(caps['roots']);
    case 'tasks/get':
    case 'tasks/result':
    case 'tasks/list':
    case 'tasks/cancel':
      return isObject(caps['tasks']);
    default:
      return false;
  }
}
