/** The composition root: the only file that joins everything. Read it to see what talks to what. */
import { adminDoor } from './admin/serve.ts';
import { documentsOf, metricsRoute, probeRoutes, type RouteSources } from './admin/routes.ts';
import { Agents } from './catalog/agents.ts';
import { openCatalog, type OpenedCatalog } from './catalog/catalog.ts';
import { KeyShelf } from './components/identity/api-key/keys.ts';
import { explain } from './config/explain.ts';
import type { Loaded } from './config/load.ts';
import type { Exchange } from './gateway/exchange.ts';
import { createCore, type WholeCore } from './gateway/gateway.ts';
import { Handles } from './gateway/handles.ts';
import { expelBlocked } from './gateway/expel.ts';
import type { House } from './gateway/house.ts';
import { Ledger } from './gateway/ledger.ts';
import type { Log, Upstreams } from './gateway/ports.ts';
import { Runs } from './gateway/runs.ts';
import { bindStages } from './gateway/stages/stages.ts';
import { followRevocations, forgetful, issuer, ownerOf, permitted, tagged } from './joints.ts';
import { Lru } from './lib/lru.ts';
import { codecOf } from './mcp/codec/edit.ts';
import { localAnswers } from './mcp/downstream/answers.ts';
import { openListener, type Bind, type Listener } from './mcp/downstream/listen.ts';
import { checkParams, createReader } from './mcp/downstream/read.ts';
import { LEGACY, MODERN } from './mcp/downstream/revisions.ts';
import { LegacySessions } from './mcp/downstream/sessions.ts';
import { openUpstreams } from './mcp/upstream/upstreams.ts';
import { makeParts, type MadeParts } from './parts.ts';
import { Running } from './running.ts';

export type { Running } from './running.ts';
import { adminBind, bindsOf, coreSettings, metricsBind, ownBind, rulesOf } from './settings.ts';
import { clock, openState, type State } from './state.ts';
import { openTelemetry, type Telemetry } from './telemetry/telemetry.ts';
import { GATEWAY } from './version.ts';

/** Everything that was opened for one gateway. */
export interface Rooms {
  readonly log: Log;
  readonly state: State;
  readonly house: House;
  readonly core: WholeCore;
  readonly upstreams: Upstreams;
  readonly catalog: OpenedCatalog;
  readonly sessions: LegacySessions;
  readonly telemetry: Telemetry;
  readonly agents: Agents;
  readonly listeners: readonly Listener[];
  made: MadeParts;
  stopRevocations: () => void;
  loaded: Loaded;
}

/** Starts a gateway, or throws with what is wrong and leaves nothing behind. */
export async function startGateway(loaded: Loaded, { log }: { readonly log: Log }): Promise<Running> {
  const undo: (() => Promise<void>)[] = [];
  try {
    const state = await openState(loaded.config, log);
    undo.push(() => state.close());
    const made = await makeParts(loaded.config, state.deps);
    undo.push(() => made.close());
    const running = new Running(await join(state, made, loaded, log, undo));
    await running.announce();
    return running;
  } catch (error) {
    for (const close of undo.reverse()) await close();
    throw error;
  }
}

/** How many grants are remembered, for the check that no secret of theirs comes back. */
const GRANTS = 10_000;
/** Milliseconds that `initialize` waits for slow servers. */
const SURFACE_WITHIN = 15_000;

async function join(
  state: State,
  made: MadeParts,
  loaded: Loaded,
  log: Log,
  undo: (() => Promise<void>)[],
): Promise<Rooms> {
  const { config } = loaded;
  const { keyring, store } = state;
  let rooms: Rooms | undefined;
  const limits = { bytes: config.message.size, depth: config.message.depth };
  const listeners: Listener[] = [];
  const rules = rulesOf(config, () => listeners.flatMap((listener) => [...listener.addresses()]));
  const handles = new Handles(keyring, clock);

  // Rooms know each other through the house, which is whole before the first message can come.
  const whole = (): House => house;
  const trace = (exchange: Exchange) => ({ ...telemetry.outgoing(exchange) });
  const upstreams = tagged(
    openUpstreams(config.servers, { clock, log, limits, gateway: GATEWAY, issue: issuer(whole), trace }),
  );
  undo.push(() => upstreams.close());
  const catalog = await openCatalog({
    servers: config.servers,
    upstreams,
    store: store.definitions,
    tenant: config.tenant,
    clock,
    log,
    gateway: GATEWAY,
    versions: [...MODERN, ...LEGACY],
    openTask: (exchange, handle) => handles.open(exchange, handle),
    sealTask: (exchange, server, task) => handles.seal(exchange, server, task),
    permitted: permitted(whole),
  });
  const agents = await Agents.open({
    records: store.records,
    tenant: config.tenant,
    clock,
    log,
    unknown: () => (rooms?.loaded ?? loaded).config.agents.unknown,
  });
  undo.push(() => agents.close());
  const sessions = new LegacySessions({
    core: () => core,
    catalog,
    upstreams: forgetful(upstreams, catalog),
    keyring,
    clock,
  });
  const telemetry = await openTelemetry(config, {
    clock,
    log,
    gateway: GATEWAY,
    sessions: () => sessions.size,
    servers: () => upstreams.status(),
  });
  undo.push(() => telemetry.close());

  const house: House = {
    gateway: GATEWAY,
    clock,
    log,
    keyring,
    handles,
    catalog,
    upstreams,
    sessions,
    agents,
    codec: codecOf(limits),
    reader: createReader(limits),
    answers: localAnswers({
      catalog,
      upstreams,
      sessions,
      clock,
      owner: ownerOf(catalog),
      surfaceWithin: SURFACE_WITHIN,
    }),
    consume: (name, until) => store.uses.consume(config.tenant, name, until),
    mirrored: checkParams,
    observer: telemetry.observer,
    ledger: new Ledger(),
    parked: new Map(),
    runs: new Runs(clock, () => house.settings.runs),
    grants: new Lru(GRANTS),
    parts: made.parts,
    settings: coreSettings(loaded, rules),
    epoch: 1,
    draining: false,
    get stages() {
      return stages;
    },
  };
  const stages = bindStages(house);
  const core = createCore(house);
  agents.onChange(() => expelBlocked(house));
  const stopRevocations = followRevocations(house);
  rooms = {
    log,
    state,
    house,
    core,
    upstreams,
    catalog,
    sessions,
    agents,
    telemetry,
    listeners,
    made,
    loaded,
    stopRevocations,
  };
  await openDoors(rooms, listeners, { core, sessions, rules, clock, log }, undo);
  return rooms;
}

/** Doors of agents, of metrics and the admin API where they have addresses of their own, and the owner's socket. */
async function openDoors(
  rooms: Rooms,
  listeners: Listener[],
  shared: Parameters<typeof openListener>[1],
  undo: (() => Promise<void>)[],
): Promise<void> {
  const { config } = rooms.loaded;
  const sources: RouteSources = {
    house: rooms.house,
    parts: () => rooms.made.named,
    metrics: rooms.telemetry.metrics,
  };
  const apart = metricsBind(config);
  const doors = [
    { bind: bindsOf(config), routes: { ...probeRoutes(sources), ...(apart ? {} : metricsRoute(sources)) } },
    ...(apart ? [{ bind: [apart], routes: { ...probeRoutes(sources), ...metricsRoute(sources) } }] : []),
  ];
  const published = documentsOf(rooms.house);
  const own = [ownBind(config), adminBind(config)].filter((bind) => bind !== undefined);
  const adminDoors = own.map((bind) => {
    const administered = adminOf(rooms, bind);
    return {
      bind: [bind],
      routes: probeRoutes(sources),
      documents: (path: string) => administered(path) ?? published(path),
    };
  });
  for (const { bind, routes, documents } of [
    ...doors.map((door) => ({ ...door, documents: published })),
    ...adminDoors,
  ]) {
    const listener = await openListener({ bind }, { ...shared, routes, documents });
    listeners.push(listener);
    undo.push(() => listener.close());
  }
}

function adminOf(rooms: Rooms, bind: Bind): ReturnType<typeof adminDoor> {
  const { state, agents, house } = rooms;
  const keys = new KeyShelf(state.store.records, state.deps.tenant, () => clock.now());
  return adminDoor(
    house,
    {
      version: GATEWAY.version,
      agents,
      keys,
      keysInForce: () => rooms.loaded.config.identity.some(({ component }) => component.use === 'api-key'),
      status: () => Running.statusOf(rooms),
      configuration: () => explain(rooms.loaded),
    },
    { kind: bind.kind, asksCertificate: bind.kind === 'tcp' && bind.tls?.clientCa !== undefined },
  );
}
