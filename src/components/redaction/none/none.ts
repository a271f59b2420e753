/** Changes nothing, and says so: an order of policy that no other part carries out refuses the message (law 8). */
import { z } from 'zod';
import { defineComponent } from '../../../gateway/component.ts';
import type { Redacted, Redaction } from '../redaction.ts';

const UNCHANGED: Redacted = { ok: true, edits: [], carried: [] };

export const none = defineComponent({
  kind: 'redaction',
  use: 'none',
  config: z.strictObject({}),
  create: (): Redaction => ({ redact: () => UNCHANGED }),
});
