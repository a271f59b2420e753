/**
 * Where a call's CPU goes: the gateway under the load of bench.ts with V8's profiler, and the files and functions that took most.
 * `node bench/profile.ts [path under /mcp/] [seconds] [tool]`
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from './harness/load.ts';
import { compileInto } from './harness/native.ts';
import { writeRequest } from './harness/requests.ts';
import { sallyport, startUpstream } from './harness/targets.ts';

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: Frame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const SHOWN = 40;
const FILES = 25;

const [server = 'modern', seconds = '5', tool = 'small'] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'sallyport-profile-'));
try {
  const calls = await under(folder);
  const [file = ''] = (await readdir(folder)).filter((name) => name.endsWith('.cpuprofile'));
  show(JSON.parse(await readFile(join(folder, file), 'utf8')) as Profile, calls);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function under(folder: string): Promise<number> {
  const native = compileInto(folder);
  const upstream = await startUpstream(native);
  const start = sallyport(() => ({}), ['--cpu-prof', `--cpu-prof-dir=${folder}`]);
  const target = await start({ folder, native, upstream: upstream.port });
  const request = await writeRequest(folder, 'profile', target, { era: 'modern', path: `/mcp/${server}`, tool });
  const run = { port: target.port, request, events: tool === 'events', seconds: Number(seconds), rate: undefined };
  const { calls } = await load(native.load, run);
  await Promise.all([target.close(), upstream.close()]);
  return calls;
}

/** Microseconds a call, by the function itself, without what it called. */
function show({ nodes, samples, timeDeltas }: Profile, calls: number): void {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const took = new Map<string, number>();
  samples.forEach((id, at) => {
    const name = frames.get(id) ?? '';
    took.set(name, (took.get(name) ?? 0) + (timeDeltas[at] ?? 0));
  });
  const byFile = Map.groupBy(took, ([name]) => fileOf(name));
  const files = [...byFile].map(([file, all]) => [file, all.reduce((sum, [, time]) => sum + time, 0)] as const);
  print(files, calls, FILES);
  print([...took], calls, SHOWN);
}

function fileOf(name: string): string {
  const [, place = ''] = name.split(' ');
  return place.replace(/:\d+$/, '') || name;
}

function print(took: readonly (readonly [name: string, time: number])[], calls: number, most: number): void {
  process.stdout.write(`\n${calls} calls\n`);
  for (const [name, time] of took.toSorted((a, b) => b[1] - a[1]).slice(0, most)) {
    process.stdout.write(`${(time / calls).toFixed(2).padStart(8)} µs  ${name}\n`);
  }
}

function nameOf({ functionName, url, lineNumber }: Frame): string {
  const place = url.replace(/^.*\/(src|node_modules)\//, '$1/');
  return `${functionName || '(anonymous)'} ${place === '' ? '' : `${place}:${lineNumber + 1}`}`;
}
