/** One run of the load generator. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { EVENTS } from './requests.ts';
import { cpuOf, pinned } from './processes.ts';

export interface Run {
  readonly port: number;
  /** A file with the whole request. */
  readonly request: string;
  readonly events: boolean;
  readonly seconds: number;
  /** Calls per second of an open loop; undefined: a closed loop, as fast as it goes. */
  readonly rate: number | undefined;
}

/** Latencies in microseconds. */
export interface Outcome {
  readonly calls: number;
  readonly errors: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

const CONNECTIONS = 32;

/** Rejects when a single answer was wrong: a figure for something else is none. */
export async function load(program: string, { port, request, events, seconds, rate }: Run): Promise<Outcome> {
  const numbers = [CONNECTIONS, seconds, rate ?? 0, events ? EVENTS : 0].map(String);
  const [command = '', ...words] = pinned('around', [program, String(port), request, ...numbers]);
  const { stdout, stderr } = await promisify(execFile)(command, words);
  const outcome = JSON.parse(stdout) as Outcome;
  if (outcome.errors > 0) throw new Error(`${outcome.errors} of ${outcome.calls} answers were wrong: ${stderr}`);
  return outcome;
}

/** The same, with the CPU that the measured process took for each call, in microseconds. */
export async function loadWithCpu(program: string, run: Run, pid: number): Promise<Outcome & { readonly cpu: number }> {
  const before = cpuOf(pid);
  const outcome = await load(program, run);
  return { ...outcome, cpu: (cpuOf(pid) - before) / outcome.calls };
}
