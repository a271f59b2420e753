/** One listener at one server. Its channel may be another one after a reload. */
import type { Exchange } from '../../gateway/exchange.ts';
import type { Attachment, ListenFilter, Outlet } from '../../gateway/ports.ts';
import { common } from './listen.ts';

export interface Home {
  relisten(): Promise<ListenFilter>;
  detach(attached: Attached): void;
}

export class Attached {
  readonly exchange: Exchange;
  readonly outlet: Outlet;
  filter: ListenFilter;
  home: Home;

  constructor(home: Home, exchange: Exchange, filter: ListenFilter, outlet: Outlet) {
    this.home = home;
    this.exchange = exchange;
    this.filter = filter;
    this.outlet = outlet;
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
