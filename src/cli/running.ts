/** A gateway in the foreground, from configuration to the last signal. */
import { once } from 'node:events';
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
  ready(gateway);
  const [signal] = (await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])) as [string];
  log.info({ signal }, 'draining');
  const atOnce = () => process.exit(EXIT.problem);
  process.once('SIGTERM', atOnce).once('SIGINT', atOnce);
  watch?.close();
  await gateway.close();
  process.off('SIGTERM', atOnce).off('SIGINT', atOnce);
  return EXIT.ok;
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
