/**
 * What narrows a recording within a run: the conversation or trace that the agent says a request belongs to. It is the agent's own
 * word, so nothing is decided by it, and labels and counters do not know it (architecture §4).
 */
import { isObject } from './document.ts';
import type { Message } from './exchange.ts';

/** A conversation lasts longer than a trace, so it comes first. The key is the one that ChatGPT sends. */
const CONVERSATION = 'openai/session';
const LONGEST = 128;

/** W3C Trace Context §3.2: version, trace id, parent id, flags. Of a trace the recording is, of a span it is not. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

/** undefined: the whole run is one recording. */
export function recordingOf({ doc }: Message): string | undefined {
  const params = isObject(doc.value) ? doc.value['params'] : undefined;
  const meta = isObject(params) ? params['_meta'] : undefined;
  if (!isObject(meta)) return undefined;
  const conversation = meta[CONVERSATION];
  if (typeof conversation === 'string' && conversation !== '' && conversation.length <= LONGEST)
    return `conversation:${conversation}`;
  // SEP-414: trace context travels in `_meta`.
  const parent = meta['traceparent'];
  const trace = typeof parent === 'string' ? TRACEPARENT.exec(parent)?.[1] : undefined;
  return trace === undefined ? undefined : `trace:${trace}`;
}
