/**
 * Task handles. A server's task id is only as unguessable as the server made it, and says nothing about who may use it; the
 * agent gets a sealed handle instead, bound to its principal and endpoint (SEP-2663: access checked on every request).
 */
import { Lru } from '../lib/lru.ts';
import { isObject, type Edit, type Path } from './document.ts';
import type { Endpoint, Exchange, Message } from './exchange.ts';
import type { House } from './house.ts';
import type { Keyring } from './keyring.ts';
import type { Clock, Codec } from './ports.ts';
import type { Principal } from './principal.ts';
import { endpointName } from './records.ts';
import { serverOfMessage } from './stages/question.ts';

const PURPOSE = 'task';
const LIFETIME = 29 * 24 * 60 * 60 * 1000;
const RELATED: Path = ['_meta', 'io.modelcontextprotocol/related-task', 'taskId'];

type Holder = { readonly principal: Principal; readonly endpoint: Endpoint };

export class Handles {
  readonly #keyring: Keyring;
  readonly #clock: Clock;
  /** One task keeps one handle as long as it is remembered, so that events name what the agent knows. */
  readonly #given = new Lru<string, string>(50_000);

  constructor(keyring: Keyring, clock: Clock) {
    this.#keyring = keyring;
    this.#clock = clock;
  }

  seal({ principal, endpoint }: Holder, server: string, task: string): string {
    const door = endpointName(endpoint);
    const key = JSON.stringify([principal.key, door, server, task]);
    const known = this.#given.get(key);
    if (known !== undefined) return known;
    const handle = this.#keyring.seal(PURPOSE, { expires: this.#clock.now() + LIFETIME, server, task }, [
      principal.key,
      door,
    ]);
    this.#given.set(key, handle);
    return handle;
  }

  open(
    { principal, endpoint }: Holder,
    handle: string,
  ): { readonly server: string; readonly task: string } | undefined {
    const door = endpointName(endpoint);
    const opened = this.#keyring.open(PURPOSE, handle, [principal.key, door]);
    if (!opened.ok) return undefined;
    const { server, task } = opened.claims;
    if (typeof server !== 'string' || typeof task !== 'string') return undefined;
    this.#given.set(JSON.stringify([principal.key, door, server, task]), handle);
    return { server, task };
  }
}

/** Every place of a message toward the agent where a task of its server may stand. */
const PLACES: readonly Path[] = [
  ['result', 'taskId'],
  ['result', 'task', 'taskId'],
  ['result', ...RELATED],
  ['params', 'taskId'],
  ['params', ...RELATED],
  ['params', 'task', 'taskId'],
];

export function sealHandles(exchange: Exchange, message: Message, handles: Handles, codec: Codec): Message {
  const server = serverOfMessage({ exchange, message });
  if (server === undefined || !speaksOfTasks(exchange, message)) return message;
  const edits = PLACES.flatMap((path) => sealAt(path, exchange, server, message, handles));
  return edits.length === 0 ? message : { ...message, doc: codec.edit(message.doc, edits) };
}

/** An honest result may have a member `taskId` of its own; only messages of the tasks vocabulary are touched. */
function speaksOfTasks({ row }: Exchange, message: Message): boolean {
  if (row.method.startsWith('tasks/') || message.method.includes('tasks')) return true;
  const result = isObject(message.doc.value) ? message.doc.value['result'] : undefined;
  const created = isObject(result) && (result['resultType'] === 'task' || isObject(result['task']));
  return created || message.doc.bytes.includes('io.modelcontextprotocol/related-task');
}

function sealAt(path: Path, exchange: Exchange, server: string, message: Message, handles: Handles): Edit[] {
  const raw = message.doc.raw(path);
  if (raw === undefined || !raw.startsWith('"')) return [];
  // JSON.parse of a lone string is exact; members are never read from it.
  const task = String(JSON.parse(raw));
  return [{ op: 'replace', path, json: JSON.stringify(handles.seal(exchange, server, task)) }];
}

/** An answer or event of the agent that names a task by its handle gets the server's own id back. */
export function openHandles(holder: Holder, message: Message, house: Pick<House, 'handles' | 'codec'>): Message {
  if (!message.doc.bytes.includes('io.modelcontextprotocol/related-task')) return message;
  const edits = [
    ['result', ...RELATED],
    ['params', ...RELATED],
  ].flatMap((path) => openAt(path, holder, message, house.handles));
  return edits.length === 0 ? message : { ...message, doc: house.codec.edit(message.doc, edits) };
}

function openAt(path: Path, holder: Holder, message: Message, handles: Handles): Edit[] {
  const raw = message.doc.raw(path);
  if (raw === undefined || !raw.startsWith('"')) return [];
  const opened = handles.open(holder, String(JSON.parse(raw)));
  return opened ? [{ op: 'replace', path, json: JSON.stringify(opened.task) }] : [];
}
