/** One line of the pipe, read as far as relaying needs. */
import { readMessage, writeError } from '../../mcp/codec/envelope.ts';
import type { Params } from '../../mcp/codec/envelope.ts';

export type Line =
  | {
      readonly kind: 'request';
      readonly id: string;
      readonly method: string;
      readonly params: Params;
      readonly bytes: Buffer;
    }
  | {
      readonly kind: 'notification';
      readonly method: string;
      readonly params: Params;
      readonly bytes: Buffer;
      readonly about: string | undefined;
    }
  | { readonly kind: 'answer'; readonly bytes: Buffer };

export type Request = Extract<Line, { kind: 'request' }>;

const LIMITS = { bytes: 256 * 1024 * 1024, depth: 256 };
const VERSION = 'io.modelcontextprotocol/protocolVersion';

/** The line, or the JSON-RPC error that says what is wrong with it. */
export function readLine(bytes: Buffer): Line | string {
  const read = readMessage(bytes, LIMITS);
  if (!read.ok) return writeError(read.id, read.code, read.message);
  const { envelope, doc } = read;
  switch (envelope.kind) {
    case 'request':
      return { kind: 'request', id: envelope.id, method: envelope.method, params: envelope.params ?? {}, bytes };
    case 'notification': {
      const about = doc.raw(['params', 'requestId']);
      return { kind: 'notification', method: envelope.method, params: envelope.params ?? {}, bytes, about };
    }
    case 'result':
    case 'error':
      return { kind: 'answer', bytes };
  }
}

/** The version that a stateless message names; undefined: it belongs to a session. */
export function namedVersion(params: Params): string | undefined {
  const meta = params['_meta'];
  const version = typeof meta === 'object' && meta !== null && !Array.isArray(meta) ? meta[VERSION] : undefined;
  return typeof version === 'string' ? version : undefined;
}

/** What the relay itself has to say about a request that got no answer. */
export function failure(id: string, message: string): string {
  return writeError(id, -32603, message);
}

/** A refusal over HTTP, as an answer to the request on the pipe: an error without an id would answer nothing. */
export function refusal(id: string, body: Buffer, status: number): Buffer | string {
  const read = readMessage(body, LIMITS);
  if (read.ok && read.envelope.kind === 'error') {
    if (read.envelope.id !== undefined) return body;
    const { code, message, data } = read.envelope.error;
    return writeError(id, code, message, data === undefined ? undefined : JSON.stringify(data));
  }
  if (read.ok && read.envelope.kind === 'result') return body;
  return failure(id, `The gateway answered with HTTP status ${status}.`);
}

/** The id that a message answers; undefined when it is no answer. */
export function answeredId(json: Buffer): string | undefined {
  const read = readMessage(json, LIMITS);
  if (!read.ok) return undefined;
  const { envelope } = read;
  return envelope.kind === 'result' || envelope.kind === 'error' ? envelope.id : undefined;
}

/** The result of an answer, if it is one. */
export function resultOf(json: Buffer): Params | undefined {
  const read = readMessage(json, LIMITS);
  const result = read.ok && read.envelope.kind === 'result' ? read.envelope.result : undefined;
  return typeof result === 'object' && result !== null && !Array.isArray(result) ? result : undefined;
}

export function errorCode(json: Buffer): number | undefined {
  const read = readMessage(json, LIMITS);
  return read.ok && read.envelope.kind === 'error' ? read.envelope.error.code : undefined;
}
