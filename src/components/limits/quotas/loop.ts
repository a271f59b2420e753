/** The same call again and again: an agent that goes in circles spends money and time for nothing. Local to this process. */
import { isObject } from '../../../gateway/document.ts';
import type { Exchange } from '../../../gateway/exchange.ts';
import type { Clock } from '../../../gateway/ports.ts';
import { principalKey } from '../../../gateway/principal.ts';
import { Lru } from '../../../lib/lru.ts';
import { fingerprint, isRounded } from './fingerprint.ts';
import { REMEMBERED, type Answer, type Meter, type Taken } from './meter.ts';

export interface LoopSettings {
  /** So often the same call may be made within the window. */
  readonly calls: number;
  /** Milliseconds. */
  readonly window: number;
}

export class Loop implements Meter {
  readonly #seen = new Lru<string, Repeated>(REMEMBERED);
  readonly #settings: LoopSettings;
  readonly #clock: Clock;

  constructor(settings: LoopSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** The same: principal, run, server, tool and arguments, whatever the order of their keys. */
  take(key: string, exchange: Exchange): Answer {
    const { calls, window } = this.#settings;
    const now = this.#clock.monotonic();
    const name = `${printOf(exchange)} ${key}`;
    let repeated = this.#seen.get(name);
    if (!repeated) this.#seen.set(name, (repeated = new Repeated()));
    const wait = repeated.wait(calls, now - window);
    if (wait === undefined) return repeated.at(now);
    return {
      ok: false,
      limit: `the same call ${calls} times in ${window} ms`,
      retryAfter: Math.ceil(wait),
      loop: true,
    };
  }
}

/** For whom calls are the same: nobody's calls count for another (law 10). */
export function loopKey({ principal, run, target }: Exchange): string {
  return target.of === 'definition' ? principalKey(principal.key, run, target.server, target.name) : '';
}

/** A retry that answers what a server asked repeats its call as it must (MCP basic/patterns/mrtr). */
export function mayLoop({ target, resumes, row }: Exchange): boolean {
  return row.action === 'tool.call' && target.of === 'definition' && resumes === undefined;
}

function printOf({ opening: { doc } }: Exchange): number {
  const params = isObject(doc.value) ? doc.value['params'] : undefined;
  const given = isObject(params) ? params['arguments'] : undefined;
  return fingerprint(isRounded(given) ? doc.raw(['params', 'arguments']) : given);
}

/** When one call was made lately: never more times than are allowed. */
class Repeated implements Taken {
  readonly ok = true;
  #times: number[] = [];

  /** Milliseconds until it may be made again; undefined: now. */
  wait(calls: number, since: number): number | undefined {
    while (this.#times.length > 0 && this.#times[0]! <= since) this.#times.shift();
    return this.#times.length < calls ? undefined : this.#times[0]! - since;
  }

  at(now: number): this {
    this.#times.push(now);
    return this;
  }

  undo(): void {
    this.#times.pop();
  }

  ended(): void {}
}
