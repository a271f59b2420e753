/** Tasks of legacy servers (2025-11-25): the gateway's own handle stands in place of each task's id. */
import { isObject, type Doc, type Json, type JsonObject, type Path } from '../gateway/document.ts';
import type { Exchange } from '../gateway/exchange.ts';
import { UpstreamFault } from '../gateway/ports.ts';
import { own } from './kinds.ts';

/** The handle of a server's task for this caller; undefined when the task is not the caller's: it is left out. */
export type SealTask = (
  exchange: Exchange,
  server: string,
  task: string,
) => string | undefined | Promise<string | undefined>;

/** The bytes of one task with its handle. */
export type SealedTask = readonly Buffer[];

const MOST_PAGES = 100;

export async function everyTask(
  exchange: Exchange,
  server: string,
  ask: (params: JsonObject) => Promise<Doc>,
  seal: SealTask,
): Promise<SealedTask[]> {
  const sealed: SealedTask[] = [];
  const cursors = new Set<string>();
  for (let params: JsonObject = {}; ;) {
    const doc = await ask(params);
    const at: Path = own(doc.value, 'jsonrpc') === '2.0' ? ['result'] : [];
    const result = at.length === 0 ? doc.value : own(doc.value, 'result');
    sealed.push(...(await sealPage(exchange, server, doc, [...at, 'tasks'], own(result, 'tasks'), seal)));
    const next = own(result, 'nextCursor');
    if (typeof next !== 'string') return sealed;
    if (cursors.has(next) || cursors.size >= MOST_PAGES)
      throw new UpstreamFault('upstream_garbage', 'tasks/list: pages without end');
    cursors.add(next);
    params = { cursor: next };
  }
}

async function sealPage(
  exchange: Exchange,
  server: string,
  doc: Doc,
  at: Path,
  tasks: Json | undefined,
  seal: SealTask,
): Promise<SealedTask[]> {
  if (!Array.isArray(tasks)) throw new UpstreamFault('upstream_garbage', 'tasks/list: no tasks');
  const sealed: SealedTask[] = [];
  for (const [index, task] of tasks.entries()) {
    const id = own(task, 'taskId');
    if (!isObject(task) || typeof id !== 'string') continue;
    const handle = await seal(exchange, server, id);
    if (handle !== undefined) sealed.push(withHandle(doc, [...at, index], handle));
  }
  return sealed;
}

function withHandle(doc: Doc, at: Path, handle: string): SealedTask {
  const whole = doc.span(at);
  const id = doc.span([...at, 'taskId']);
  if (whole === undefined || id === undefined) throw new Error('a task that was read has no place in the text');
  const { bytes } = doc;
  return [
    bytes.subarray(whole.start, id.start),
    Buffer.from(JSON.stringify(handle)),
    bytes.subarray(id.end, whole.end),
  ];
}
