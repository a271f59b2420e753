/** One listener at one server. Its channel may be another one after a reload. */
import type { Exchange, Message } from '../../gateway/exchange.ts';
import type { Attachment, ListenFilter, Outlet } from '../../gateway/ports.ts';
import { common } from './listen.ts';

/** Logs and the like that may wait for a slow agent; the rest of its news is bounded by what it listens to. */
const MOST_WAITING = 256;

export interface Home {
  relisten(): Promise<ListenFilter>;
  detach(attached: Attached): void;
}

export class Attached {
  readonly exchange: Exchange;
  readonly outlet: Outlet;
  filter: ListenFilter;
  home: Home;
  /** What the agent has not taken yet, by what it is about; the value is what came about the same meanwhile. */
  readonly #waiting = new Map<string, Message | undefined>();
  #others = 0;

  constructor(home: Home, exchange: Exchange, filter: ListenFilter, outlet: Outlet) {
    this.home = home;
    this.exchange = exchange;
    this.filter = filter;
    this.outlet = outlet;
  }

  /** False: left out, because the agent does not read. `about`: newer news takes the place of older news about the same. */
  hear(message: Message, about: string | undefined): boolean {
    if (about !== undefined) this.#say(message, about);
    else if (this.#others >= MOST_WAITING) return false;
    else this.#other(message);
    return true;
  }

  #say(message: Message, about: string): void {
    if (this.#waiting.has(about)) return void this.#waiting.set(about, message);
    const taken = this.outlet.event(message);
    if (taken === undefined) return;
    this.#waiting.set(about, undefined);
    const go = (): void => {
      const newer = this.#waiting.get(about);
      this.#waiting.delete(about);
      if (newer !== undefined) this.#say(newer, about);
    };
    taken.then(go, go);
  }

  #other(message: Message): void {
    const taken = this.outlet.event(message);
    if (taken === undefined) return;
    this.#others += 1;
    const go = (): void => void (this.#others -= 1);
    taken.then(go, go);
  }

  opened(): Attachment {
    const honoured = this.home.relisten().then((all) => common(this.filter, all));
    // whoever does not ask for it is not told; the stream is tried again all the same
    honoured.catch(() => undefined);
    return {
      honoured,
      update: (filter) => {
        this.filter = filter;
        this.home.relisten().catch(() => undefined);
      },
      close: () => this.home.detach(this),
    };
  }
}
