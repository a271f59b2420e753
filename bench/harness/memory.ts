/** What the gateway holds: when nothing happens, and for every session that is open and idle. */
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { memoryOf } from './processes.ts';
import { openSession } from './requests.ts';
import { part, sallyport, startUpstream, type Scene, type Target } from './targets.ts';

/** In KB of resident memory, garbage collected before each look. */
export interface Memory {
  readonly idle: number;
  readonly perSession: number;
  readonly sessions: number;
}

const COLLECT = fileURLToPath(new URL('../parts/collect.ts', import.meta.url));
const FLAGS = ['--expose-gc', '--import', COLLECT];
/** Callers with sessions of their own; each has a connection to the server, which is opened before the first look. */
const CALLERS = 20;
/** Sessions that are opened before the first look: code that is compiled and pools that grow are no session's. */
const WARM = 200;
const SETTLE_MS = 400;
const LOOKS = 4;

export async function measureMemory(scene: Omit<Scene, 'upstream'>, sessions: number): Promise<Memory> {
  const upstream = await startUpstream(scene.native);
  const start = sallyport(() => ({ identity: [part('many-callers')] }), FLAGS);
  const target = await start({ ...scene, upstream: upstream.port });
  try {
    const idle = await settled(target);
    await openMany(target, WARM);
    const before = await settled(target);
    await openMany(target, sessions);
    const perSession = ((await settled(target)) - before) / sessions;
    return { idle, perSession, sessions };
  } finally {
    await Promise.all([target.close(), upstream.close()]);
  }
}

async function openMany(target: Target, count: number): Promise<void> {
  for (let open = 0; open < count; open += CALLERS) {
    await Promise.all(Array.from({ length: CALLERS }, (_, caller) => openSession(as(caller, target), '/mcp/legacy')));
  }
}

function as(caller: number, target: Target): Target {
  return { ...target, headers: { authorization: `Bearer bench-${caller}` } };
}

/** The least of a few looks, each after a collection. */
async function settled({ pid }: Target): Promise<number> {
  let least = Infinity;
  for (let look = 0; look < LOOKS; look++) {
    process.kill(pid, 'SIGUSR2');
    await after(SETTLE_MS);
    least = Math.min(least, memoryOf(pid));
  }
  return least;
}
