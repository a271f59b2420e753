/** Runs the official suite (`@modelcontextprotocol/conformance`) against a URL and reads what it wrote. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';

export type Revision = '2025-11-25' | '2026-07-28';

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
/** Per scenario. All of them end in a second or two; the longer wait is for what never answers. */
const SCENARIO_TIMEOUT_MS = 10_000;

/** Every scenario of the revision's server leg, extensions left out, in the order of its requirement set. */
export async function runSuite(revision: Revision, url: string): Promise<Outcome[]> {
  const output = await mkdtemp(join(tmpdir(), 'conformance-'));
  try {
    const report = await execute(['server', '--url', url, '--requirements', revision, '--output-dir', output]);
    const results = await readResults(output);
    if (results.size === 0) throw new Error(`The suite wrote no results:\n${report}`);
    return (await scenarios(revision)).map((wanted) => judge(wanted, results.get(wanted.scenario), report));
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

interface Check {
  id: string;
  name: string;
  status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO' | 'SKIPPED';
  errorMessage?: string;
}

interface Requirements {
  server: string[];
  not_scored: { scenario: string; leg: 'server' | 'client'; reason: string }[];
}

type Wanted = Pick<Outcome, 'scenario' | 'required'>;

async function scenarios(revision: Revision): Promise<Wanted[]> {
  const file = await readFile(join(ROOT, 'requirements', `${revision}.yaml`), 'utf8');
  const { server, not_scored: unscored } = parse(file) as Requirements;
  const others = unscored.filter(({ leg, reason }) => leg === 'server' && reason !== 'extension');
  return [
    ...server.map((scenario) => ({ scenario, required: true })),
    ...others.map(({ scenario }) => ({ scenario, required: false })),
  ];
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

/** The suite writes one folder a scenario, `server-<scenario>-<timestamp>`. */
async function readResults(output: string): Promise<Map<string, Check[]>> {
  const folders = await readdir(output);
  const finished = folders.filter((folder) => existsSync(join(output, folder, 'checks.json')));
  const read = finished.map(async (folder) => {
    const scenario = folder.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '');
    return [scenario, JSON.parse(await readFile(join(output, folder, 'checks.json'), 'utf8')) as Check[]] as const;
  });
  return new Map(await Promise.all(read));
}

/** Resolves to its report. The exit code says only that something failed; the results say what. */
async function execute(args: string[]): Promise<string> {
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
