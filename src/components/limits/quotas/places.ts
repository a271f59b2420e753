/** How many at once. Local to this process. Where several principals share the places, nobody holds more than are free. */
import type { Exchange } from '../../../gateway/exchange.ts';
import type { Answer, Meter, Taken } from './meter.ts';

export class Places implements Meter {
  /** Only what is held stands here, so open exchanges bound it. */
  readonly #rooms = new Map<string, Room>();
  readonly #bound: number;
  readonly #shared: boolean;

  /** @param shared whether one key may stand for several principals */
  constructor(bound: number, shared: boolean) {
    this.#bound = bound;
    this.#shared = shared;
  }

  take(key: string, { principal }: Pick<Exchange, 'principal'>): Answer {
    let room = this.#rooms.get(key);
    if (!room) this.#rooms.set(key, (room = new Room()));
    const free = this.#bound - room.taken;
    if (free <= 0) return refused(`concurrency ${this.#bound}`);
    // One flooding agent leaves half for the others, two leave a third: whoever comes new always finds a place.
    if (this.#shared && room.heldBy(principal.key) >= free) return refused(`share of concurrency ${this.#bound}`);
    room.add(principal.key, 1);
    return new Place(room, principal.key, () => this.#rooms.delete(key));
  }
}

const refused = (limit: string): Answer => ({ ok: false, limit, retryAfter: RETRY });
/** When a place gets free nobody knows; most calls are over by then. */
const RETRY = 1000;

class Room {
  readonly #held = new Map<string, number>();
  taken = 0;

  heldBy(principal: string): number {
    return this.#held.get(principal) ?? 0;
  }

  add(principal: string, places: 1 | -1): void {
    this.taken += places;
    const held = this.heldBy(principal) + places;
    if (held > 0) this.#held.set(principal, held);
    else this.#held.delete(principal);
  }
}

class Place implements Taken {
  readonly ok = true;
  readonly #room: Room;
  readonly #principal: string;
  readonly #empty: () => void;

  constructor(room: Room, principal: string, empty: () => void) {
    this.#room = room;
    this.#principal = principal;
    this.#empty = empty;
  }

  undo(): void {
    this.#room.add(this.#principal, -1);
    if (this.#room.taken === 0) this.#empty();
  }

  ended(): void {
    this.undo();
  }
}
