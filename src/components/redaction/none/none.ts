/** Changes nothing — and refuses where policy ordered a redaction that nobody here can carry out (law 8). */
import { z } from 'zod';
import { defineComponent } from '../../../gateway/component.ts';
import type { Redacted, Redaction } from '../redaction.ts';

const UNCHANGED: Redacted = { ok: true, edits: [] };

export const none = defineComponent({
  kind: 'redaction',
  use: 'none',
  config: z.strictObject({}),
  create: (): Redaction => ({
    redact: (_message, _exchange, _findings, obligations) => {
      const ordered = obligations.find(({ kind }) => kind === 'redact' || kind === 'mask');
      return ordered
        ? { ok: false, detail: `policy orders to ${ordered.kind}, and no part for it is configured` }
        : UNCHANGED;
    },
  }),
});
