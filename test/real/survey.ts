/** Everything there is to ask of one server, asked in one order with fixed ids, so that two surveys can be compared. */
import { openRaw } from './raw.ts';
import type { Answer, Era, Json, Message, Raw, Target } from './raw.ts';
import type { Question, Variation } from './servers.ts';

export interface Finding {
  what: string;
  message: Message;
  /** Progress of this request, with the caller's own token. Other notifications belong to no request in particular. */
  progress: Message[];
}

export const LISTS: readonly Question[] = [
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
].map((method) => ({ method, params: {} }));

export async function survey(target: Target, era: Era, questions: readonly Question[]): Promise<Finding[]> {
  const raw = await openRaw(target, era);
  try {
    const findings: Finding[] = [];
    for (const [index, question] of [...LISTS, ...questions].entries()) {
      findings.push(await ask(raw, index + 1, question));
    }
    // `server/discover` never waits for a server, so it knows all of it only after the first list (basic/versioning).
    const opened = era === 'legacy' ? raw.opened : (await raw.request(0, 'server/discover')).message;
    return [{ what: 'opening', message: opened, progress: [] }, ...findings];
  } finally {
    await raw.close();
  }
}

export async function ask(raw: Raw, id: number, { method, params }: Question): Promise<Finding> {
  const answer = await raw.request(id, method, params);
  return { what: `${method} ${JSON.stringify(params)}`, ...finding(answer) };
}

function finding({ message, before }: Answer): Omit<Finding, 'what'> {
  return { message, progress: before.filter(({ method }) => method === 'notifications/progress') };
}

/** The same value with every matching text, and every matching number, replaced by its pattern. */
export function settled<T extends Json>(value: T, varies: readonly Variation[]): T {
  return walk(value) as T;

  function walk(value: Json): Json {
    if (typeof value === 'string') return varies.reduce((text, { pattern }) => text.replaceAll(pattern, '…'), value);
    if (typeof value === 'number') return walk(String(value)) === '…' ? '…' : value;
    if (Array.isArray(value)) return value.map(walk);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]));
  }
}
