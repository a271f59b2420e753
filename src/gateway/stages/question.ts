/** What policy is asked about an exchange. */
import type { Question, Resource } from '../../components/policy/policy.ts';
import { isObject, type JsonObject } from '../document.ts';
import type { Exchange, Message, Target } from '../exchange.ts';
import type { House } from '../house.ts';
import type { Facts } from '../stage.ts';

export function questionOf(exchange: Exchange, facts: Facts, house: House): Question {
  return {
    principal: exchange.principal,
    action: exchange.row.action,
    resource: resourceOf(exchange, exchange.target),
    params: paramsOf(exchange),
    facts,
    run: exchange.run,
    labels: house.runs.labels(exchange.run),
    counters: countersOf(exchange, house),
    method: exchange.row.method,
    at: house.clock.now(),
    peer: exchange.peer,
    risk: house.parts.risk.score(exchange),
  };
}

function countersOf({ run, target }: Exchange, { runs }: House): Question['counters'] {
  return runs.counters(run, serverOf(target), target.of === 'definition' ? target.name : undefined);
}

export function resourceOf(exchange: Exchange, target: Target): Resource {
  const { endpoint } = exchange;
  switch (target.of) {
    case 'gateway':
      return {
        endpoint,
        server: endpoint.kind === 'server' ? endpoint.server : undefined,
        kind: 'gateway',
        name: undefined,
        definition: undefined,
      };
    case 'servers':
      return {
        endpoint,
        server: endpoint.kind === 'server' ? endpoint.server : undefined,
        kind: 'server',
        name: undefined,
        definition: undefined,
      };
    case 'definition':
      return { endpoint, server: target.server, kind: target.kind, name: target.name, definition: target.definition };
    case 'task':
      return { endpoint, server: target.server, kind: 'task', name: target.task, definition: undefined };
    case 'exchange':
      return resourceOf(exchange, target.exchange.target);
  }
}

/** The server that a message comes from or goes to, if it is one. */
export function serverOfMessage({
  exchange,
  message,
}: {
  readonly exchange: Exchange;
  readonly message: Message;
}): string | undefined {
  return message.from ?? serverOf(exchange.target);
}

/** The server that an exchange goes to, if it is one. */
export function serverOf(target: Target): string | undefined {
  switch (target.of) {
    case 'definition':
    case 'task':
      return target.server;
    case 'exchange':
      return serverOf(target.exchange.target);
    case 'gateway':
    case 'servers':
      return undefined;
  }
}

function paramsOf({ opening }: Exchange): JsonObject | undefined {
  const params = isObject(opening.doc.value) ? opening.doc.value['params'] : undefined;
  return isObject(params) ? params : undefined;
}
