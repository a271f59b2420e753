/** Answers that the catalog writes itself, as whole messages. */
import type { Exchange, Message } from '../gateway/exchange.ts';
import type { Outlet } from '../gateway/ports.ts';
import type { Reason } from '../gateway/reasons.ts';
import { parseJson } from '../mcp/codec/json.ts';

/** Made of texts that passed the parser's limits one by one. */
const LIMITS = { bytes: 1024 * 1024 * 1024, depth: 512 };

const HEAD = Buffer.from('{"jsonrpc":"2.0","id":0,"result":');
const TAIL = Buffer.from('}');

/** The result message; the agent's edge puts its own id in. */
export function resultMessage(method: string, result: readonly Buffer[]): Message {
  const parsed = parseJson(Buffer.concat([HEAD, ...result, TAIL]), LIMITS);
  if (!parsed.ok) throw new Error(`the answer to ${method} is not JSON: ${parsed.detail}`);
  return { kind: 'closing', method, doc: parsed.doc, payload: 'result' };
}

export interface Failure {
  readonly reason: Reason;
  readonly detail: string;
  readonly retryAfter?: number | undefined;
}

export type Answer =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly failure: Failure };

export function answered(message: Message): Answer {
  return { ok: true, message };
}

export function failed(reason: Reason, detail: string, retryAfter?: number): Answer {
  return { ok: false, failure: { reason, detail, retryAfter } };
}

/** "This method does not exist here" has a status of its own on the modern transport. */
export function methodUnknown(exchange: Exchange): Answer {
  const reason = exchange.era === 'modern' ? 'method_unknown' : 'method_unknown_legacy';
  return failed(reason, `no server of this endpoint offers ${exchange.row.method}`);
}

export function tell(outlet: Outlet, answer: Answer): void {
  if (answer.ok) outlet.close(answer.message);
  else outlet.fail(answer.failure.reason, answer.failure.detail, answer.failure.retryAfter);
}
