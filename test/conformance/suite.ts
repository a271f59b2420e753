/** Runs the official suite (`@modelcontextprotocol/conformance`) and reads what it wrote: its server leg against a URL, its client leg with our client. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';

/** The two that have a frozen requirement set; of 2025-06-18 every scenario is run and counts. */
export type Revision = '2025-06-18' | '2025-11-25' | '2026-07-28';

export interface Outcome {
  scenario: string;
  /** The revision's frozen requirement set counts it; the others run too, but never count. */
  required: boolean;
  /** As the suite scores it: no failed check. Warnings do not count, but are in `failedChecks`. */
  passed: boolean;
  /** Each failed check or warning: its name, and what was expected. */
  failedChecks: string[];
}

const ROOT = join(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json'), '..');
const CLIENT = fileURLToPath(new URL('client.ts', import.meta.url));
/** Per scenario. All of them end in a second or two; the longer wait is for what never answers. */
const SCENARIO_TIMEOUT_MS = 10_000;

/** Every scenario of the revision's server leg, extensions left out, in the order of its requirement set. */
export async function runSuite(revision: Revision, url: string): Promise<Outcome[]> {
  const set = revision === '2025-06-18' ? ['--suite', 'all', '--spec-version', revision] : ['--requirements', revision];
  const { results, report } = await execute(['server', '--url', url, ...set]);
  if (results.size === 0) throw new Error(`The suite wrote no results:\n${report}`);
  const wanted = revision === '2025-06-18' ? [...results.keys()].map(counting) : await scenarios('server', revision);
  return wanted.map((one) => judge(one, results.get(one.scenario), report));
}

/** One scenario of the server leg by itself. */
export async function runScenario(revision: Revision, url: string, wanted: Wanted): Promise<Outcome> {
  const { scenario } = wanted;
  const how = ['--scenario', scenario, '--spec-version', revision];
  const { results, report } = await execute(['server', '--url', url, ...how]);
  return judge(wanted, results.get(scenario), report);
}

/**
 * The revision's client leg with our client, one scenario after the other. Those of authorization are left out: behind a
 * gateway it is the gateway that authorizes itself, not the client.
 */
export async function runClient(revision: Revision, through: boolean): Promise<Outcome[]> {
  const command = [process.execPath, CLIENT, ...(through ? ['--through'] : [])].join(' ');
  const outcomes: Outcome[] = [];
  for (const wanted of await scenarios('client', revision)) {
    if (wanted.scenario.startsWith('auth/')) continue;
    const how = ['--scenario', wanted.scenario, '--spec-version', revision];
    const { results, report } = await execute(['client', '--command', command, ...how]);
    outcomes.push(judge(wanted, results.get(wanted.scenario), report));
  }
  return outcomes;
}

interface Check {
  id: string;
  name: string;
  status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO' | 'SKIPPED';
  errorMessage?: string;
}

type Leg = 'server' | 'client';

interface Requirements extends Record<Leg, string[]> {
  not_scored: { scenario: string; leg: Leg; reason: string }[];
}

type Wanted = Pick<Outcome, 'scenario' | 'required'>;

const counting = (scenario: string): Wanted => ({ scenario, required: true });

async function scenarios(leg: Leg, revision: Revision): Promise<Wanted[]> {
  const file = await readFile(join(ROOT, 'requirements', `${revision}.yaml`), 'utf8');
  const { [leg]: scored, not_scored: unscored } = parse(file) as Requirements;
  const others = unscored.filter((one) => one.leg === leg && one.reason !== 'extension');
  return [...scored.map(counting), ...others.map(({ scenario }) => ({ scenario, required: false }))];
}

function judge(wanted: Wanted, checks: Check[] | undefined, report: string): Outcome {
  if (!checks) return { ...wanted, passed: false, failedChecks: [`no result: ${thrown(wanted.scenario, report)}`] };
  const failed = checks.filter(({ status }) => status === 'FAILURE' || status === 'WARNING');
  return { ...wanted, passed: failed.every(({ status }) => status === 'WARNING'), failedChecks: failed.map(describe) };
}

/** A scenario that throws has no checks, only a line in the report. */
function thrown(scenario: string, report: string): string {
  const marker = `Failed to run scenario ${scenario}: `;
  const line = report.split('\n').find((candidate) => candidate.startsWith(marker));
  return line?.slice(marker.length) ?? 'the suite ended before it';
}

function describe({ name, status, errorMessage }: Check): string {
  const expected = (errorMessage ?? '').replaceAll(/\s+/g, ' ').slice(0, 200);
  return `${status === 'WARNING' ? 'warning: ' : ''}${name}: ${expected}`;
}

interface Executed {
  readonly results: ReadonlyMap<string, Check[]>;
  readonly report: string;
}

async function execute(args: string[]): Promise<Executed> {
  const output = await mkdtemp(join(tmpdir(), 'conformance-'));
  try {
    const report = await printed([...args, '--output-dir', output]);
    return { results: await readResults(output, args[0] === 'server' ? 'server-' : ''), report };
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

/** The suite writes one folder a scenario: the leg's prefix, the scenario, a timestamp. */
async function readResults(output: string, prefix: string): Promise<Map<string, Check[]>> {
  const folders = await readdir(output);
  const finished = folders.filter((folder) => existsSync(join(output, folder, 'checks.json')));
  const read = finished.map(async (folder) => {
    const scenario = folder.slice(prefix.length).replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '');
    return [scenario, JSON.parse(await readFile(join(output, folder, 'checks.json'), 'utf8')) as Check[]] as const;
  });
  return new Map(await Promise.all(read));
}

/** Its report. The exit code says only that something failed; the results say what. */
async function printed(args: string[]): Promise<string> {
  const command = [join(ROOT, 'dist/index.js'), ...args, '--timeout', String(SCENARIO_TIMEOUT_MS)];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, command, { maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (code === 1) return `${stdout}${stderr}`;
    throw error;
  }
}
