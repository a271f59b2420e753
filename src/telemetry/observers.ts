/** Several observers as one. One that throws is told of in the log and does not disturb the exchange or the others. */
import type { Log, Observer } from '../gateway/ports.ts';

export function observers(list: readonly Observer[], log: Log): Observer {
  const each = (tell: (observer: Observer) => void) => {
    for (const observer of list) {
      try {
        tell(observer);
      } catch (error) {
        log.error({ why: error instanceof Error ? error.message : String(error) }, 'an observer failed');
      }
    }
  };
  return {
    opened: (exchange) => each((one) => one.opened(exchange)),
    forwarded: (exchange) => each((one) => one.forwarded?.(exchange)),
    answered: (exchange) => each((one) => one.answered?.(exchange)),
    kept: (type) => each((one) => one.kept?.(type)),
    refused: (direction, stage, reason, exchange) => each((one) => one.refused(direction, stage, reason, exchange)),
    closed: (exchange, status, reason) => each((one) => one.closed(exchange, status, reason)),
  };
}
