/** Requests of the gateway's own, as promises: they are few, and nobody's hot path. */
import type { Doc } from '../../gateway/document.ts';
import { UpstreamFault } from '../../gateway/ports.ts';
import type { Message } from '../../gateway/exchange.ts';
import type { Reason } from '../../gateway/reasons.ts';
import { deny } from '../../gateway/verdict.ts';
import { member, text } from './switchboard.ts';
import type { Call, Sink } from './connection.ts';

/** A fault with the HTTP status that made it, which is what eras are told apart by. */
export class RefusedFault extends UpstreamFault {
  readonly status: number | undefined;
  constructor(reason: Reason, detail: string, status: number | undefined, answer?: UpstreamFault['answer']) {
    super(reason, detail, answer);
    this.status = status;
  }
}

/**
 * Sends one request and waits for its answer, at most `milliseconds`.
 * @throws UpstreamFault, with `answer` when the server answered with an error
 */
export function answerTo(
  what: string,
  start: (sink: Sink) => Call,
  drop: (call: Call) => void,
  milliseconds: number,
): Promise<Doc> {
  const { promise, resolve, reject } = Promise.withResolvers<Doc>();
  let timer: NodeJS.Timeout | undefined;
  let status: number | undefined;
  const call = start({
    event: () => undefined,
    ask: (_message, answered) => answered(deny('ask_not_possible')),
    refused: (code) => void (status = code),
    close: (message) => {
      clearTimeout(timer);
      if (message.payload === 'result') resolve(message.doc);
      else reject(errorFault(what, message, status));
    },
    fail: (reason, detail) => {
      clearTimeout(timer);
      reject(new RefusedFault(reason, `${what}: ${detail}`, status));
    },
  });
  if (!call.open) return promise;
  timer = setTimeout(
    () => {
      drop(call);
      reject(new UpstreamFault('deadline_passed', `${what}: no answer within ${milliseconds} ms`));
    },
    Math.max(0, milliseconds),
  );
  return promise;
}

function errorFault(what: string, message: Message, status: number | undefined): RefusedFault {
  const error = member(message.doc.value, 'error');
  const code = Number(member(error, 'code'));
  const said = text(member(error, 'message'));
  const data = member(error, 'data');
  const answer = data === undefined ? { code, message: said } : { code, message: said, data };
  return new RefusedFault('upstream_unavailable', `${what}: error ${code} ${said}`, status, answer);
}

export function asFault(error: unknown): UpstreamFault {
  if (error instanceof UpstreamFault) return error;
  return new UpstreamFault('upstream_unavailable', error instanceof Error ? error.message : 'unknown failure');
}

/** Hands what an outlet would get to another one, but for the closing. */
export function closingSeen(outlet: Sink, seen: (message: Message) => void): Sink {
  return {
    event: (message) => outlet.event(message),
    ask: (message, answered) => outlet.ask(message, answered),
    refused: (status) => outlet.refused?.(status),
    fail: (...a) => outlet.fail(...a),
    close: (message) => {
      seen(message);
      outlet.close(message);
    },
  };
}
