/** A gateway in the foreground, from configuration to the last signal. */
import type { Loaded } from '../config/load.ts';
import type { Log } from '../gateway/ports.ts';
import { startGateway } from '../compose.ts';
import { createLog } from '../telemetry/log.ts';
import { COMPONENTS } from '../components/components.ts';
import { watchConfig } from '../config/watch.ts';
import { EXIT } from './exit.ts';

export type Running = Awaited<ReturnType<typeof startGateway>>;

export interface RunOptions {
  readonly loaded: Loaded;
  /** The file to watch; undefined: nothing is watched. */
  readonly file?: string;
  readonly set?: Readonly<Record<string, unknown>>;
  readonly ready: (gateway: Running) => void;
}

/** Runs until SIGTERM or SIGINT, then drains; a second signal ends it at once. Returns the exit code. */
export async function runGateway({ loaded, file, set, ready }: RunOptions): Promise<number> {
  const log = createLog(loaded.config.log);
  const gateway = await startGateway(loaded, { log });
  const watch = file === undefined ? undefined : watched(gateway, { loaded, file, log, ...(set && { set }) });
  const stop = toldToStop();
  ready(gateway);
  const signal = await stop;
  log.info({ signal }, 'draining');
  watch?.close();
  await gateway.close();
  return EXIT.ok;
}

// Ctrl-C reaches the launcher and the gateway, and the launcher passes it on: two so close together are one.
const SAME_SIGNAL_MS = 500;

/** The first SIGTERM or SIGINT. A later one ends the process at once, whatever is under way. */
function toldToStop(): Promise<string> {
  return new Promise((resolve) => {
    let first: number | undefined;
    const onSignal = (signal: string) => {
      first ??= performance.now();
      if (performance.now() - first > SAME_SIGNAL_MS) process.exit(EXIT.problem);
      resolve(signal);
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  });
}

interface Watched {
  readonly loaded: Loaded;
  readonly file: string;
  readonly log: Log;
  readonly set?: Readonly<Record<string, unknown>>;
}

function watched(gateway: Running, { loaded, file, log, set }: Watched) {
  const apply = (next: Loaded) => gateway.reload(next);
  return watchConfig({ file, components: COMPONENTS, loaded, log, apply, ...(set && { set }) });
}
