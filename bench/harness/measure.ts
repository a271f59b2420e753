/** Interleaved rounds: every row once, then every row again. What the machine does meanwhile hits them all. */
import { load, loadWithCpu } from './load.ts';
import { writeRequest } from './requests.ts';
import type { Row } from './rows.ts';
import { startUpstream, type Scene, type Target } from './targets.ts';

export interface Plan {
  /** Rounds that count; one before them warms up. */
  readonly rounds: number;
  /** Of each run. */
  readonly seconds: number;
  /** Seconds of load for a process before it is measured: V8 compiles for as long, on threads that are counted too. */
  readonly warmUp: number;
  /** Told what is under way. */
  readonly progress: (text: string) => void;
}

/** One row in one round. CPU and latencies in microseconds; latencies at a third of what the row can do. */
export interface Figures {
  readonly cpu: number;
  readonly callsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** Medians of all rounds. */
export interface Measured extends Figures {
  readonly row: Row;
  /** Lowest and highest CPU of the rounds. */
  readonly spread: readonly [number, number];
}

interface Ready {
  readonly row: Row;
  readonly target: Target;
  readonly request: string;
  /** The same call to the upstream itself: latencies are the difference to it. */
  readonly direct: { readonly port: number; readonly request: string } | undefined;
  readonly rounds: Figures[];
  rate: number;
}

export async function measure(rows: readonly Row[], scene: Omit<Scene, 'upstream'>, plan: Plan): Promise<Measured[]> {
  const upstream = await startUpstream(scene.native);
  const whole = { ...scene, upstream: upstream.port };
  const targets = new Map<string, Target>();
  try {
    const ready: Ready[] = [];
    for (const row of rows) ready.push(await begin(row, targets, upstream, whole, plan));
    for (let round = 0; round <= plan.rounds; round++) await turn(round, ready, whole, plan);
    return ready.map(({ row, rounds }) => summary(row, rounds));
  } finally {
    await Promise.all([...targets.values(), upstream].map((target) => target.close()));
  }
}

async function begin(
  row: Row,
  targets: Map<string, Target>,
  upstream: Target,
  scene: Scene,
  plan: Plan,
): Promise<Ready> {
  plan.progress(`starting ${row.name}`);
  const known = row.target === undefined ? upstream : targets.get(row.target.name);
  const target = known ?? (await row.target!.start(scene));
  if (row.target !== undefined) targets.set(row.target.name, target);
  const name = `${row.group}-${row.name}`;
  const request = await writeRequest(scene.folder, name, target, row);
  const direct = row.target && {
    port: upstream.port,
    request: await writeRequest(scene.folder, `${name}-direct`, upstream, row),
  };
  const run = { port: target.port, request, events: row.tool === 'events', seconds: plan.warmUp, rate: undefined };
  if (known === undefined) await load(scene.native.load, run);
  return { row, target, request, direct, rounds: [], rate: 0 };
}

async function turn(round: number, ready: readonly Ready[], scene: Scene, plan: Plan): Promise<void> {
  for (const one of ready) {
    plan.progress(
      `${round === 0 ? 'finding the rate' : `round ${round} of ${plan.rounds}`}: ${one.row.group}, ${one.row.name}`,
    );
    const run = { events: one.row.tool === 'events', seconds: plan.seconds };
    const closed = { ...run, port: one.target.port, request: one.request, rate: undefined };
    const { cpu, calls, seconds } = await loadWithCpu(scene.native.load, closed, one.target.pid);
    const callsPerSecond = calls / seconds;
    // the rate stays the same in all rounds
    if (round === 0) one.rate = callsPerSecond / 3;
    else one.rounds.push({ cpu, callsPerSecond, ...(await latency(one, run, scene)) });
  }
}

async function latency(
  { target, request, direct, rate }: Ready,
  run: { readonly events: boolean; readonly seconds: number },
  { native }: Scene,
): Promise<Pick<Figures, 'p50' | 'p99'>> {
  const through = await load(native.load, { ...run, port: target.port, request, rate });
  if (direct === undefined) return { p50: through.p50, p99: through.p99 };
  const without = await load(native.load, { ...run, ...direct, rate });
  return { p50: through.p50 - without.p50, p99: through.p99 - without.p99 };
}

function summary(row: Row, rounds: readonly Figures[]): Measured {
  const of = (name: keyof Figures): number => median(rounds.map((figures) => figures[name]));
  const cpus = rounds.map(({ cpu }) => cpu);
  const spread = [Math.min(...cpus), Math.max(...cpus)] as const;
  return { row, cpu: of('cpu'), callsPerSecond: of('callsPerSecond'), p50: of('p50'), p99: of('p99'), spread };
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN;
}
