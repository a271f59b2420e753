/** What the gateway answers itself on the agent's side. */
import { isObject } from '../../gateway/document.ts';
import type { Json, JsonObject } from '../../gateway/document.ts';
import type { Exchange } from '../../gateway/exchange.ts';
import type { Answerer, Catalog, Clock, EndpointSurface, Flight, Hop, Outlet } from '../../gateway/ports.ts';
import { listening } from './listening.ts';
import type { ListeningDeps } from './listening.ts';
import { resultMessage } from './local.ts';
import { newSessionId } from './sessions.ts';
import type { LegacySessions } from './sessions.ts';

export interface LocalDeps extends ListeningDeps {
  readonly catalog: Pick<Catalog, 'servers' | 'surface'>;
  readonly sessions: LegacySessions;
  readonly clock: Clock;
  /** Milliseconds that `initialize` waits for servers; those that come later announce themselves by list changes. */
  readonly surfaceWithin: number;
}

const NOTHING: Flight = { cancel() {} };

/** Answerers by method, for every row that the gateway itself answers. */
export function localAnswers(deps: LocalDeps): Record<string, Answerer> {
  return {
    initialize: { open: (exchange, outlet) => initialize(exchange, outlet, deps) },
    ping: { open: (exchange, outlet) => ping(exchange, outlet) },
    // The session is live since its id was handed out; older clients never send this at all.
    'notifications/initialized': { open: () => NOTHING },
    'subscriptions/listen': listening(deps),
  };
}

function ping(_exchange: Exchange, outlet: Outlet): Flight {
  outlet.close(resultMessage('ping', {}));
  return NOTHING;
}

/** 2025-11-25 basic/lifecycle: version, capabilities and name are agreed, and a session begins. */
function initialize(exchange: Exchange, outlet: Outlet, deps: LocalDeps): Flight {
  const wrong = invalid(exchange);
  if (wrong !== undefined) {
    outlet.fail('params_invalid', wrong);
    return NOTHING;
  }
  const flight = { cancelled: false };
  void greet(exchange, outlet, deps, flight).catch((error: unknown) => outlet.fail('stage_failed', String(error)));
  return { cancel: () => void (flight.cancelled = true) };
}

function invalid({ opening }: Exchange): string | undefined {
  const message = opening.doc.value;
  const params: Json | undefined = isObject(message) ? message['params'] : undefined;
  if (!isObject(params)) return 'initialize without params';
  if (typeof params['protocolVersion'] !== 'string') return 'protocolVersion is not a string';
  if (!isObject(params['capabilities'])) return 'capabilities is not an object';
  return isObject(params['clientInfo']) ? undefined : 'clientInfo is not an object';
}

async function greet(
  exchange: Exchange,
  outlet: Outlet,
  deps: LocalDeps,
  flight: { cancelled: boolean },
): Promise<void> {
  const id = newSessionId(deps.clock);
  const hop: Hop = { ...exchange, session: id };
  const surface = await deps.catalog.surface(exchange.endpoint, hop, deps.clock.now() + deps.surfaceWithin);
  if (flight.cancelled) return;
  const session = deps.sessions.begin(exchange, id);
  outlet.close(resultMessage('initialize', greeting(session.version, surface)));
  // one that was refused on its way out is gone already
  deps.sessions.listen(id, exchange);
}

function greeting(version: string, surface: EndpointSurface): JsonObject {
  const { capabilities, serverInfo, instructions } = surface;
  const result: JsonObject = { protocolVersion: version, capabilities, serverInfo };
  if (instructions !== undefined) result['instructions'] = instructions;
  return result;
}
