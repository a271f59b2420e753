/** Opens a connection: finds the era out where it is not known (2026-07-28 basic/versioning), then greets the server. */
import type { Hop, Log, ServerSettings } from '../../gateway/ports.ts';
import { UpstreamFault } from '../../gateway/ports.ts';
import type { JsonLimits } from '../codec/json.ts';
import type { Connection, ConnectionEvents, GatewayName, Lease, SessionMemory, Trace } from './connection.ts';
import { evidenceOf, maybeSse, offersModern } from './era.ts';
import type { EraMemory, LegacyKind } from './era.ts';
import type { HttpServer, HttpTransport } from './http.ts';
import { LegacyConnection } from './legacy.ts';
import type { LegacyWire } from './legacy.ts';
import { ModernHttpWire, modernStdioWire } from './modern-wires.ts';
import { ModernConnection } from './modern.ts';
import { asFault } from './own.ts';
import { SseWire } from './sse.ts';
import { ServerProcess } from './stdio.ts';
import type { StdioTransport } from './stdio.ts';
import { StreamableWire } from './streamable.ts';
import { Switchboard } from './switchboard.ts';

export interface Plan {
  readonly settings: ServerSettings;
  readonly http: HttpServer | undefined;
  readonly hop: Pick<Hop, 'caps' | 'clientInfo'>;
  readonly lease: Lease;
  readonly era: EraMemory;
  readonly memory: SessionMemory;
  readonly events: ConnectionEvents;
  readonly limits: JsonLimits;
  readonly gateway: GatewayName;
  readonly trace: Trace;
  readonly log: Log;
  /** Aborted when nobody wants the connection any more, while it is being opened. */
  readonly signal: AbortSignal;
  /** Milliseconds for everything together. */
  readonly milliseconds: number;
}

/** A legacy server may ignore what it does not know; it is greeted the old way after so long. */
const PROBE_MS = 3000;
const ENDED = 'the connection was ended';

/** @throws UpstreamFault; nothing is left open then */
export async function connect(plan: Plan): Promise<Connection> {
  const { transport } = plan.settings;
  const until = performance.now() + plan.milliseconds;
  const left = () => {
    if (plan.signal.aborted) throw new UpstreamFault('upstream_unavailable', ENDED);
    return Math.max(1, until - performance.now());
  };
  if (transport.kind === 'stdio') return connectStdio(plan, transport, left);
  if (plan.http === undefined) throw new Error('an HTTP server without sockets');
  return connectHttp({ ...plan, http: plan.http, transport }, left);
}

type Left = () => number;
type HttpPlan = Plan & { readonly http: HttpServer; readonly transport: HttpTransport };

async function connectHttp(plan: HttpPlan, left: Left): Promise<Connection> {
  const { settings, transport, era } = plan;
  const known = era.known();
  if (transport.legacySse) return legacySse(plan, left());
  if (settings.era === 'modern') return modernHttp(plan, left());
  if (settings.era === 'legacy') return legacyHttp(plan, left);
  if (known?.era === 'legacy') return believing(era, () => legacyAs(plan, known.kind, left));
  try {
    return learnt(await modernHttp(plan, left() / 2), era);
  } catch (error) {
    const fault = asFault(error);
    if (offersModern(fault)) return learnt(await modernHttp(plan, left()), era);
    return notModern(plan, fault, left);
  }
}

async function notModern(plan: HttpPlan, fault: UpstreamFault, left: Left): Promise<Connection> {
  const evidence = evidenceOf(fault);
  if (evidence === 'unauthorized') throw fault;
  try {
    const { connection, kind } = await legacyOfAnyKind(plan, left);
    if (evidence === 'legacy') plan.era.learn('legacy', kind);
    return connection;
  } catch (error) {
    if (evidence === 'modern') throw fault;
    const other = asFault(error);
    throw new UpstreamFault(other.reason, `${other.message} (${fault.message})`, other.answer);
  }
}

async function legacyOfAnyKind(plan: HttpPlan, left: Left): Promise<{ connection: Connection; kind: LegacyKind }> {
  try {
    return { connection: await streamable(plan, left()), kind: 'streamable' };
  } catch (error) {
    const fault = asFault(error);
    if (!maybeSse(fault)) throw fault;
    const connection = await legacySse(plan, left()).catch(() => undefined);
    if (connection === undefined) throw fault;
    return { connection, kind: 'sse' };
  }
}

async function legacyHttp(plan: HttpPlan, left: Left): Promise<Connection> {
  return (await legacyOfAnyKind(plan, left)).connection;
}

function legacyAs(plan: HttpPlan, kind: LegacyKind, left: Left): Promise<Connection> {
  return kind === 'sse' ? legacySse(plan, left()) : streamable(plan, left());
}

async function modernHttp(plan: HttpPlan, milliseconds: number): Promise<Connection> {
  const board = switchboard(plan, () => undefined);
  const contradicted = (detail: string) => plan.events.contradicted(detail);
  const wire = new ModernHttpWire(plan.http, plan.transport, board, contradicted);
  return discovered(plan, board, modern(plan, board, wire), milliseconds);
}

async function streamable(plan: HttpPlan, milliseconds: number): Promise<Connection> {
  const { http, transport, lease, events } = plan;
  const board = switchboard(plan, (json, grant) => wire.send(json, undefined, grant ?? lease.grant));
  const wire: StreamableWire = new StreamableWire({
    http,
    transport,
    lease,
    board,
    renew: () => connection.handshake(plan.milliseconds),
    lost: (detail) => events.lost(detail),
    contradicted: (detail) => events.contradicted(detail),
  });
  const connection = legacy(plan, board, wire);
  return greeted(plan, board, connection, milliseconds);
}

async function legacySse(plan: HttpPlan, milliseconds: number): Promise<Connection> {
  const { http, transport, lease, events } = plan;
  const board = switchboard(plan, (json, grant) => wire.send(json, undefined, grant ?? lease.grant));
  const wire = new SseWire({ http, transport, lease, board, lost: (detail) => events.lost(detail) });
  await whileWanted(plan.signal, () => wire.abandon(ENDED), wire.open(milliseconds));
  return greeted(plan, board, legacy(plan, board, wire), milliseconds);
}

async function connectStdio(plan: Plan, transport: StdioTransport, left: Left): Promise<Connection> {
  const { settings, era } = plan;
  if (settings.era === 'modern') return modernStdio(plan, transport, left());
  if (settings.era === 'legacy') return legacyStdio(plan, transport, left());
  if (era.known()?.era === 'legacy') return believing(era, () => legacyStdio(plan, transport, left()));
  return probeStdio(plan, transport, left);
}

/** One process for both questions where it lets us: a server that starts slowly is not started twice. */
async function probeStdio(plan: Plan, transport: StdioTransport, left: Left): Promise<Connection> {
  const host = start(plan, transport);
  const connection = modern(plan, host.board, modernStdioWire(host.process));
  const fault = await refusalOf(connection.discover(Math.min(PROBE_MS, left() / 2)), plan, host.board);
  if (fault === undefined) return learnt(host.serve(connection), plan.era);
  const later = host.gone === undefined ? await greetedInPlace(plan, host, left) : undefined;
  const found = later ?? (await afresh(plan, transport, host, left));
  if (evidenceOf(fault) === 'legacy') plan.era.learn('legacy');
  return found;
}

async function greetedInPlace(plan: Plan, host: Host, left: Left): Promise<Connection | undefined> {
  if (plan.signal.aborted) return undefined;
  const connection = legacy(plan, host.board, legacyStdioWire(host.process));
  const fault = await refusalOf(connection.handshake(left() / 2), plan, host.board);
  return fault === undefined ? host.serve(connection) : undefined;
}

/** Some servers end, or say nothing any more, when the first message is not `initialize`. */
async function afresh(plan: Plan, transport: StdioTransport, host: Host, left: Left): Promise<Connection> {
  await host.process.end();
  return legacyStdio(plan, transport, left());
}

async function modernStdio(plan: Plan, transport: StdioTransport, milliseconds: number): Promise<Connection> {
  const host = start(plan, transport);
  const connection = modern(plan, host.board, modernStdioWire(host.process));
  return host.serve(await discovered(plan, host.board, connection, milliseconds));
}

async function legacyStdio(plan: Plan, transport: StdioTransport, milliseconds: number): Promise<Connection> {
  const host = start(plan, transport);
  const connection = legacy(plan, host.board, legacyStdioWire(host.process));
  return host.serve(await greeted(plan, host.board, connection, milliseconds));
}

/** A process and its switchboard. Until it serves, its end is a failed start and nobody's loss. */
interface Host {
  readonly board: Switchboard;
  readonly process: ServerProcess;
  gone: string | undefined;
  serve(connection: Connection): Connection;
}

function start(plan: Plan, transport: StdioTransport): Host {
  const { settings, limits, log, events } = plan;
  let serving = false;
  const board = switchboard(plan, (json) => process.send(json));
  const process: ServerProcess = new ServerProcess(
    { name: settings.name, transport },
    plan.lease.grant,
    { log, limits },
    {
      line: (bytes) => board.receive(bytes, undefined),
      oversize: (detail) => board.oversize(detail, undefined),
      gone: (detail) => {
        host.gone = detail;
        // first, so that no waiting call takes its turn on what is gone
        if (serving) events.lost(detail);
        board.failAll(serving ? 'upstream_lost' : 'upstream_unavailable', detail);
      },
    },
  );
  const serve = (connection: Connection) => {
    if (host.gone !== undefined) throw new UpstreamFault('upstream_unavailable', host.gone);
    serving = true;
    return connection;
  };
  const host: Host = { board, process, gone: undefined, serve };
  return host;
}

function legacyStdioWire(process: ServerProcess): LegacyWire {
  return {
    send: (json) => process.send(json),
    notify: (json) => Promise.resolve(process.send(json)),
    begin: () => undefined,
    end: () => process.end(),
  };
}

function switchboard(plan: Plan, reply: ConstructorParameters<typeof Switchboard>[1]['reply']): Switchboard {
  const { events, limits, log, settings } = plan;
  return new Switchboard(limits, {
    news: (message) => events.news(message),
    standing: () => events.standing(),
    reply,
    log,
    server: settings.name,
  });
}

function modern(
  plan: Plan,
  board: Switchboard,
  wire: ConstructorParameters<typeof ModernConnection>[1],
): ModernConnection {
  const { hop, lease, settings, events, gateway, trace } = plan;
  const news = events.news.bind(events);
  return new ModernConnection(board, wire, { hop, lease, gateway, trace, patience: settings.deadline, news });
}

function legacy(plan: Plan, board: Switchboard, wire: LegacyWire): LegacyConnection {
  const { hop, lease, settings, gateway, memory, trace } = plan;
  return new LegacyConnection(board, wire, { hop, lease, gateway, memory, trace, patience: settings.deadline });
}

async function discovered(
  plan: Plan,
  board: Switchboard,
  connection: ModernConnection,
  milliseconds: number,
): Promise<Connection> {
  return orEnded(plan, board, connection, connection.discover(milliseconds));
}

async function greeted(
  plan: Plan,
  board: Switchboard,
  connection: LegacyConnection,
  milliseconds: number,
): Promise<Connection> {
  return orEnded(plan, board, connection, connection.handshake(milliseconds));
}

async function orEnded(
  plan: Plan,
  board: Switchboard,
  connection: Connection,
  step: Promise<void>,
): Promise<Connection> {
  const fault = await refusalOf(step, plan, board);
  if (fault === undefined) return connection;
  await connection.end();
  throw fault;
}

/** Why a step of the opening failed. It fails at once when nobody wants the connection any more. */
function refusalOf(step: Promise<void>, plan: Plan, board: Switchboard): Promise<UpstreamFault | undefined> {
  const stop = () => board.failAll('upstream_unavailable', ENDED);
  return whileWanted(plan.signal, stop, step).then(() => undefined, asFault);
}

function whileWanted(signal: AbortSignal, stop: () => void, step: Promise<void>): Promise<void> {
  signal.addEventListener('abort', stop, { once: true });
  return step.finally(() => signal.removeEventListener('abort', stop));
}

function learnt(connection: Connection, era: EraMemory): Connection {
  era.learn('modern');
  return connection;
}

/** What was believed is asked again when it turns out wrong. */
async function believing(era: EraMemory, open: () => Promise<Connection>): Promise<Connection> {
  try {
    return await open();
  } catch (error) {
    era.contradicted();
    throw error;
  }
}
