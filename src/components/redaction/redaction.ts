/** Redaction: every copy of a value that may not pass is rewritten, or nothing goes out (law 8). */
import type { Part } from '../../gateway/component.ts';
import type { Edit } from '../../gateway/document.ts';
import type { Exchange, Message } from '../../gateway/exchange.ts';
import type { Finding } from '../../gateway/stage.ts';
import type { Obligation } from '../../gateway/verdict.ts';

export type Redacted =
  | {
      readonly ok: true;
      readonly edits: readonly Edit[];
      /** Which of policy's orders these edits carry out. An order that no part has carried out refuses the message. */
      readonly carried: readonly Obligation[];
    }
  | { readonly ok: false; readonly detail: string };

export interface Redaction extends Part {
  redact(
    message: Message,
    exchange: Exchange,
    findings: readonly Finding[],
    obligations: readonly Obligation[],
  ): Redacted | Promise<Redacted>;
}
