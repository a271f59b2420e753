/** The core's `Codec`: a splice, parsed again, so that what later stages judge is what is sent (law 2). */
import type { Codec } from '../../gateway/ports.ts';
import { parseJson, type JsonLimits } from './json.ts';
import { splice } from './splice.ts';

export function codecOf(limits: JsonLimits): Codec {
  return {
    edit(doc, edits) {
      const bytes = splice(doc, edits);
      // An edit may make a message longer than what may come in; it is ours, so only its form is checked.
      const parsed = parseJson(bytes, { ...limits, bytes: Math.max(limits.bytes, bytes.length) });
      if (!parsed.ok) throw new Error(`an edit broke the document: ${parsed.detail}`);
      return parsed.doc;
    },
    read(text) {
      const bytes = Buffer.from(text);
      const parsed = parseJson(bytes, { ...limits, bytes: Math.max(limits.bytes, bytes.length) });
      if (!parsed.ok) throw new Error(`the gateway wrote no JSON: ${parsed.detail}`);
      return parsed.doc;
    },
  };
}
