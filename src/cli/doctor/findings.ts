/** Everything that `doctor` looks at, in the order of a start: machine, configuration, folder, gateway, servers. */
import { existsSync, statSync } from 'node:fs';
import { COMPONENTS } from '../../components/components.ts';
import { loadConfig } from '../../config/load.ts';
import type { Loaded } from '../../config/load.ts';
import { defaultData, places } from '../../config/places.ts';
import type { Places } from '../../config/places.ts';
import { problemText } from '../../config/problem.ts';
import { ask, NoGateway } from '../gateway-client.ts';
import { fine, unsafe, wrong } from './finding.ts';
import type { Finding } from './finding.ts';
import { serverFindings } from './servers.ts';
import { unsafeSettings } from './unsafe.ts';

const OLDEST_NODE = 24;

/** @param file the configuration; a file that is not there is no fault, since `demo` needs none */
export async function findings(file: string): Promise<Finding[]> {
  const loaded = existsSync(file) ? await loadConfig(file, COMPONENTS) : undefined;
  const config = loaded?.ok ? loaded : undefined;
  const here = places(config?.config.data ?? defaultData(process.env));
  const problems = loaded?.ok === false ? loaded.problems.map(problemText) : [];
  return [
    node(),
    ...configuration(file, config, problems),
    ...(config ? unsafeSettings(config) : []),
    folder(here),
    token(here),
    ...(await gateway(here, config)),
  ];
}

function node(): Finding {
  const { node: version } = process.versions;
  if (Number.parseInt(version, 10) >= OLDEST_NODE) return fine('Node.js', version);
  return wrong('Node.js', version, `start it through bin/sallyport.js, or install Node.js ${OLDEST_NODE} or newer`);
}

function configuration(file: string, config: Loaded | undefined, problems: readonly string[]): Finding[] {
  if (problems.length > 0)
    return problems.map((problem) => wrong('configuration', problem, 'correct it; `sallyport check` looks again'));
  if (config === undefined) return [fine('configuration', `there is no ${file}; name another with --config`)];
  return [fine('configuration', `${file}, ${config.config.servers.length} servers`)];
}

function folder({ data }: Places): Finding {
  const mode = modeOf(data);
  if (mode === undefined) return fine('data folder', `${data} is made at the first start`);
  if ((mode & 0o077) === 0) return fine('data folder', data);
  return unsafe('data folder', `others can look into ${data} (mode ${mode.toString(8)})`, `chmod 700 ${data}`);
}

function token({ token: file }: Places): Finding {
  const mode = modeOf(file);
  if (mode === undefined) return fine('token', 'is made at the first start');
  if ((mode & 0o077) === 0) return fine('token', file);
  return wrong(
    'token',
    `others can read ${file} (mode ${mode.toString(8)})`,
    `delete it and start the gateway again: whoever read it has it`,
  );
}

/** Permission bits; undefined when there is nothing, or where the system has none. */
function modeOf(path: string): number | undefined {
  try {
    return process.platform === 'win32' ? undefined : statSync(path).mode & 0o777;
  } catch {
    return undefined;
  }
}

async function gateway(here: Places, config: Loaded | undefined): Promise<Finding[]> {
  try {
    const { status, text } = await ask(here, { method: 'GET', path: '/admin/v1/status' });
    if (status !== 200)
      return [wrong('gateway', `it answered ${status}`, 'compare the token with --data and --config')];
    const { servers = [] } = JSON.parse(text) as { servers?: { server: string; state: string; lastError?: string }[] };
    return [fine('gateway', here.socket), ...(await controls(here)), ...servers.map(serverState)];
  } catch (error) {
    if (!(error instanceof NoGateway)) throw error;
    const none = fine('gateway', 'none is running; servers are looked for without one');
    return [none, ...(config ? await serverFindings(config.config.servers) : [])];
  }
}

async function controls(here: Places): Promise<Finding[]> {
  const { text } = await ask(here, { method: 'GET', path: '/readyz' });
  const { parts = [] } = JSON.parse(text) as { parts?: { part: string; state: string; detail?: string }[] };
  const remedy = 'the gateway is not ready (503) until it is live again';
  return parts.map(({ part, state, detail }) =>
    state === 'live' ? fine(part) : wrong(part, `${state}: ${detail ?? ''}`, remedy),
  );
}

function serverState({ server, state, lastError }: { server: string; state: string; lastError?: string }): Finding {
  if (state !== 'failing') return fine(`server ${server}`, state);
  return wrong(
    `server ${server}`,
    lastError ?? state,
    'start it by hand with the same command or URL and read what it says',
  );
}
