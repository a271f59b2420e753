/** Everybody who listens on one channel, and who of them hears what. */
import type { Json } from '../../gateway/document.ts';
import type { Message } from '../../gateway/exchange.ts';
import type { ListenFilter } from '../../gateway/ports.ts';
import { parseJson, splice } from '../codec/json.ts';
import type { JsonLimits } from '../codec/json.ts';
import type { Attached } from './attached.ts';
import type { Standing } from './connection.ts';
import { union, wants } from './listen.ts';
import { SUBSCRIPTION_ID, member, text } from './switchboard.ts';

/** What names no subject. */
const OF_NOBODY = new Set(['notifications/message', 'notifications/elicitation/complete']);

export class Listeners {
  readonly #attached = new Set<Attached>();

  get size(): number {
    return this.#attached.size;
  }

  all(): readonly Attached[] {
    return [...this.#attached];
  }

  add(attached: Attached): void {
    this.#attached.add(attached);
  }

  delete(attached: Attached): boolean {
    return this.#attached.delete(attached);
  }

  clear(): void {
    this.#attached.clear();
  }

  /** What all of them together want to hear. */
  wanted(): ListenFilter {
    return union(this.all().map(({ filter }) => filter));
  }

  /** The only legacy session here; with two it would be a guess whom a server asks (law 10). */
  standing(): Standing | undefined {
    const sessions = this.all().filter(({ exchange }) => exchange.session !== undefined);
    return sessions.length === 1 ? sessions[0] : undefined;
  }

  /** Returns how many did not hear it, because they do not read. */
  hear(message: Message, limits: JsonLimits): number {
    if (this.size === 0) return 0;
    const listeners = this.#of(message.method, member(message.doc.value, 'params'));
    if (listeners.length === 0) return 0;
    const clean = untagged(message, limits);
    const about = subjectOf(message);
    return listeners.filter((listener) => !listener.hear(clean, about)).length;
  }

  /** Logs and ends of elicitations go only where they cannot be another's (law 10). */
  #of(method: string, params: Json | undefined): readonly Attached[] {
    const all = this.all();
    if (!OF_NOBODY.has(method)) return all.filter(({ filter }) => wants(filter, method, params));
    const principals = new Set(all.map(({ exchange }) => exchange.principal.key));
    return principals.size === 1 ? all : [];
  }
}

/** What a piece of news is about, where the latest says it all. */
function subjectOf({ method, doc }: Message): string | undefined {
  switch (method) {
    case 'notifications/tools/list_changed':
    case 'notifications/prompts/list_changed':
    case 'notifications/resources/list_changed':
      return method;
    case 'notifications/resources/updated':
      return `${method} ${text(member(member(doc.value, 'params'), 'uri'))}`;
    default:
      return undefined;
  }
}

/** The subscription id speaks of this hop; the agent's edge has its own. */
function untagged(message: Message, limits: JsonLimits): Message {
  const path = ['params', '_meta', SUBSCRIPTION_ID];
  if (message.doc.span(path) === undefined) return message;
  const parsed = parseJson(splice(message.doc, [{ op: 'remove', path }]), limits);
  return parsed.ok ? { ...message, doc: parsed.doc } : message;
}
