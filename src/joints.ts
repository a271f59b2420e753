/** The small pieces between rooms that do not know each other. */
import type { OpenedCatalog } from './catalog/catalog.ts';
import type { Decision, Resource } from './components/policy/policy.ts';
import type { Definition, DefinitionKind, Exchange, Message } from './gateway/exchange.ts';
import { expelRevoked } from './gateway/expel.ts';
import type { House } from './gateway/house.ts';
import { methodRow } from './gateway/methods.ts';
import type { Catalog, Grant, Outlet, Upstreams } from './gateway/ports.ts';
import type { Principal } from './gateway/principal.ts';
import { reachesServer } from './gateway/reach.ts';
import { grantKey } from './gateway/stages/credential.ts';

/** News of a server reach a listening exchange with the server's name on them. */
export function tagged(upstreams: Upstreams): Upstreams {
  return {
    ...bound(upstreams),
    attach: (server, listen, filter, outlet) => upstreams.attach(server, listen, filter, from(server, outlet)),
  };
}

/** Whoever is forgotten by the upstreams is forgotten by the catalog as well. */
export function forgetful(
  upstreams: Upstreams,
  catalog: Pick<OpenedCatalog, 'forget'>,
): Pick<Upstreams, 'attach' | 'forget'> {
  return {
    attach: (...a) => upstreams.attach(...a),
    forget: (hop) => {
      upstreams.forget(hop);
      catalog.forget(hop);
    },
  };
}

function bound(upstreams: Upstreams): Upstreams {
  return {
    open: (...a) => upstreams.open(...a),
    key: (...a) => upstreams.key(...a),
    surface: (...a) => upstreams.surface(...a),
    request: (...a) => upstreams.request(...a),
    notify: (...a) => upstreams.notify?.(...a),
    attach: (...a) => upstreams.attach(...a),
    onNews: (listener) => upstreams.onNews(listener),
    forget: (hop) => upstreams.forget(hop),
    status: () => upstreams.status(),
    reload: (servers) => upstreams.reload(servers),
    close: () => upstreams.close(),
  };
}

function from(server: string, outlet: Outlet): Outlet {
  const tag = (message: Message): Message => ({ ...message, from: server });
  return {
    event: (message) => outlet.event(tag(message)),
    ask: (message, answered) => outlet.ask(tag(message), answered),
    close: (message) => outlet.close(tag(message)),
    fail: (...a) => outlet.fail(...a),
  };
}

/** The credential for connections that the gateway opens itself (handshakes, lists, streams), as `credential` issues it for calls. */
export function issuer(house: () => House): (server: string, principal: Principal) => Promise<Grant | undefined> {
  return async (server, principal) => {
    const part = house().parts.credentials.get(server);
    if (!part) return undefined;
    const issued = await part.issue(server, principal);
    if (!issued.issued) throw new Error(issued.detail);
    house().grants.set(grantKey(server, principal), issued.grant);
    return issued.grant;
  };
}

const ACTIONS: Readonly<Record<DefinitionKind, string>> = {
  tool: 'tools/call',
  prompt: 'prompts/get',
  resource: 'resources/read',
  template: 'resources/read',
};

const SILENCE: Decision = { effect: 'silence' };

/** What is listed: everything that policy does not deny already with its arguments unknown. */
export function permitted(house: () => House) {
  return (
    exchange: Exchange,
    kind: DefinitionKind,
    definitions: readonly Definition[],
  ): boolean[] | Promise<boolean[]> => {
    const { runs, clock } = house();
    const { policy, risk } = house().parts;
    const action = methodRow('agent', ACTIONS[kind])?.action ?? '';
    const score = risk.score(exchange);
    const answers = definitions.map((definition) => {
      if (!reachesServer(exchange.principal, definition.server)) return SILENCE;
      return policy.decide({
        principal: exchange.principal,
        action,
        resource: resourceOf(exchange, definition),
        params: undefined,
        facts: {},
        labels: runs.labels(exchange.run),
        method: ACTIONS[kind],
        at: clock.now(),
        peer: exchange.peer,
        run: exchange.run,
        counters: runs.counters(exchange.run, definition.server, definition.name),
        risk: score,
      });
    });
    const sync = answers.every((answer) => !(answer instanceof Promise));
    if (sync) return answers.map((answer) => !(answer instanceof Promise) && answer.effect === 'permit');
    return Promise.all(answers.map(async (answer) => (await answer).effect === 'permit'));
  };
}

function resourceOf({ endpoint }: Exchange, definition: Definition): Resource {
  return { endpoint, server: definition.server, kind: definition.kind, name: definition.name, definition };
}

/** The server that owns a URI in this caller's view. */
export function ownerOf(catalog: Catalog) {
  return async (exchange: Exchange, uri: string): Promise<string | undefined> => {
    const row = methodRow('agent', 'resources/subscribe');
    if (!row) return undefined;
    const target = await catalog.resolve({ ...exchange, row, opening: uriMessage(uri, exchange.opening) });
    return 'effect' in target || target.of !== 'definition' ? undefined : target.server;
  };
}

/** The question "who has this URI?" in the form of the request that would ask for it. */
function uriMessage(uri: string, like: Message): Message {
  const value = { params: { uri } };
  return { ...like, method: 'resources/subscribe', doc: { ...nothing, value } };
}

const nothing = { bytes: Buffer.alloc(0), span: () => undefined, raw: () => undefined };

/** What was opened with a proof ends when its part takes the proof back. Returns the way to stop. */
export function followRevocations(house: House): () => void {
  const stops = house.parts.identity.map((part) => part.onRevoked?.(() => expelRevoked(house)));
  return () => stops.forEach((stop) => stop?.());
}
