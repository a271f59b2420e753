/** The event loop's end of the throw-away thread that reads policies: one thread a set, ended when it has answered. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Calendar } from './calendar.ts';
import type { Case, CaseResult } from './cases.ts';
import type { Compiled } from './compiled.ts';
import type { CompiledAll, PolicyText } from './compile.ts';
import type { Roles } from './mapping.ts';
import type { Known } from './schema.ts';
import type { Checked } from './validate.ts';

export interface ToThread {
  readonly texts: readonly PolicyText[];
  /** Tools whose arguments policies are checked against; undefined: nothing is known. */
  readonly known: Known | undefined;
  readonly cases: readonly Case[];
  readonly roles: Roles;
  readonly calendar: Calendar;
}

export type FromThread = CompiledAll & Checked & { readonly results: readonly CaseResult[] };

/** The policies in batches, then everything else. */
export type Told = { readonly rules: readonly Compiled[] } | { readonly rest: Omit<FromThread, 'rules'> };

/** Milliseconds until a set that is still being read is given up. */
const PATIENCE = 60_000;

export async function compileApart(workerData: ToThread): Promise<FromThread> {
  // Type-stripped sources in development, JavaScript in the package: the thread runs what this file is.
  const url = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);
  // Flags of the process (a REPL's, a test runner's) are none of the thread's business, and some would stop it.
  const worker = new Worker(url, { workerData, execArgv: [] });
  const { promise, resolve, reject } = Promise.withResolvers<FromThread>();
  const late = setTimeout(() => reject(new Error('policies could not be read within a minute')), PATIENCE);
  const rules: Compiled[] = [];
  worker.on('message', (told: Told) => ('rest' in told ? resolve({ rules, ...told.rest }) : rules.push(...told.rules)));
  worker.once('error', (error) => reject(new Error(`policies cannot be read: ${String(error)}`)));
  worker.once('exit', () => reject(new Error('the thread that reads policies ended')));
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    await worker.terminate();
  }
}
