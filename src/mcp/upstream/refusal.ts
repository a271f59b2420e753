/** An HTTP status other than 2xx as the answer to a call. */
import { readMessage } from '../codec/envelope.ts';
import type { Envelope } from '../codec/envelope.ts';
import type { Call } from './connection.ts';
import { reasonOfStatus } from './http.ts';
import type { Switchboard } from './switchboard.ts';

const LIMITS = { bytes: 128 * 1024, depth: 64 };

/** A JSON-RPC error with the call's own id is an answer like any other; everything else fails the call. */
export function takeRefusal(board: Switchboard, call: Call, status: number, body: Buffer): void {
  call.sink.refused?.(status);
  const reason = reasonOfStatus(status);
  const error = errorIn(body);
  if (error?.id === call.id && reason !== 'credential_unavailable') return void board.receive(body, call);
  const said = error === undefined ? '' : `: error ${error.error.code} ${error.error.message.slice(0, 200)}`;
  board.fail(call, reason, `HTTP ${status}${said}`);
}

/** UnsupportedProtocolVersion, HeaderMismatch, MissingRequiredClientCapability: codes only a modern server has. */
export const MODERN_CODES: ReadonlySet<number> = new Set([-32022, -32021, -32020]);

export function speaksModern(body: Buffer): boolean {
  const error = errorIn(body);
  return error !== undefined && MODERN_CODES.has(error.error.code);
}

/** Legacy servers refuse what is modern with this code, or without any JSON-RPC at all. */
export function speaksLegacy(status: number, body: Buffer): boolean {
  const error = errorIn(body);
  if (error !== undefined) return error.error.code === -32000;
  return status === 400 || status === 404 || status === 405;
}

function errorIn(body: Buffer): Extract<Envelope, { kind: 'error' }> | undefined {
  const read = readMessage(body, LIMITS);
  return read.ok && read.envelope.kind === 'error' ? read.envelope : undefined;
}
