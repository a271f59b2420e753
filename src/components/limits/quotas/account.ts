/**
 * What one key may use up in a window, shared by all processes: tokens are leased from the store in blocks and spent here.
 * A lease is counted in the store before it is spent, so that no crash and no race lets the total pass the limit; a process that
 * is killed takes at most one unspent lease a key with it. What is left over is given back when idle and at the end.
 */
import type { PartDeps } from '../../../gateway/component.ts';
import type { Clock, Log } from '../../../gateway/ports.ts';
import type { Refused } from './meter.ts';
import type { Window, Windows } from './windows.ts';

export interface Terms {
  /** How the limit is called in records. */
  readonly text: string;
  readonly limit: number;
  /** Tokens that are leased at once, beyond what callers wait for. */
  readonly lease: number;
  readonly windows: Windows;
}

export interface Bank {
  readonly counters: PartDeps['store']['counters'];
  readonly tenant: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Accounts of which the store must hear again: they have tokens left over, or owe some. */
export interface Lent {
  readonly accounts: Set<Account>;
  closed: boolean;
}

/** Of what is left, a process takes a quarter at most: near the end little lies idle with one while another needs it. */
const PART = 4;
/** Milliseconds for which the store is not asked again after it had nothing left. */
const EMPTY_FOR = 1000;

export class Account {
  readonly #name: string;
  readonly #terms: Terms;
  readonly #bank: Bank;
  readonly #lent: Lent;
  #window: Window = { start: 0, end: 0 };
  /** Leased and not spent; negative: spent and not leased yet, because its cost was known only afterwards. */
  #balance = 0;
  /** What the store may count to in this window, and had counted when it was last asked. */
  #cap = 0;
  #total = 0;
  #wanted = 0;
  #leasing: Promise<void> | undefined;
  /** Nothing was left for this much, until then. */
  #empty = { cost: Infinity, until: 0 };
  /** Epoch milliseconds. */
  #used = 0;

  constructor(name: string, terms: Terms, bank: Bank, lent: Lent) {
    this.#name = name;
    this.#terms = terms;
    this.#bank = bank;
    this.#lent = lent;
  }

  /** The window it was taken in, or why nothing was. Waits only where the store must be asked. */
  take(cost: number): Window | Refused | Promise<Window | Refused> {
    const now = this.#bank.clock.now();
    return this.#spend(cost, now) ?? this.#refusal(cost, now) ?? this.#waited(cost);
  }

  /** What was taken turned out to cost so much more, or less. */
  correct(window: Window, more: number): void {
    if (more === 0) return;
    // What is given back after its window helps nobody; what is owed is owed now.
    if (more > 0 || window === this.#window) this.#balance -= more;
    this.#lent.accounts.add(this);
    if (this.#lent.closed) void this.#settle();
  }

  /** Gives back what was leased and is not needed, if nobody asked since `before`. */
  async rest(before: number): Promise<void> {
    if (this.#used < before && this.#wanted === 0 && !this.#leasing) await this.#settle();
  }

  async close(): Promise<void> {
    await this.#leasing?.catch(() => undefined);
    await this.#settle();
  }

  #spend(cost: number, now: number): Window | undefined {
    this.#used = now;
    if (now >= this.#window.end || now < this.#window.start || this.#balance < cost) return undefined;
    this.#balance -= cost;
    return this.#window;
  }

  #refusal(cost: number, now: number): Refused | undefined {
    if (now >= this.#empty.until || cost < this.#empty.cost) return undefined;
    return { ok: false, limit: this.#terms.text, retryAfter: Math.max(0, this.#window.end - now) };
  }

  /** All who wait share one question to the store. */
  async #waited(cost: number): Promise<Window | Refused> {
    this.#wanted += cost;
    try {
      for (;;) {
        this.#leasing ??= this.#lease(cost).finally(() => (this.#leasing = undefined));
        await this.#leasing;
        const now = this.#bank.clock.now();
        const answer = this.#spend(cost, now) ?? this.#refusal(cost, now);
        if (answer) return answer;
      }
    } finally {
      this.#wanted -= cost;
    }
  }

  async #lease(cost: number): Promise<void> {
    const now = this.#bank.clock.now();
    if (now >= this.#window.end || now < this.#window.start) await this.#turn(now);
    const need = cost - this.#balance;
    const fair = Math.ceil((this.#cap - this.#total) / PART);
    const block = this.#lent.closed ? need : Math.min(Math.max(this.#terms.lease, this.#wanted), fair);
    let want = Math.max(need, block);
    while (!(await this.#added(want))) {
      const left = this.#cap - this.#total;
      if (left < need) return this.#ranOut(cost, now);
      want = Math.min(want, left);
    }
  }

  async #added(want: number): Promise<boolean> {
    const { counters, tenant } = this.#bank;
    this.#lent.accounts.add(this);
    const { ok, total } = await counters.add(tenant, this.#name, this.#window, want, this.#cap);
    this.#total = total;
    if (ok) this.#balance += want;
    return ok;
  }

  #ranOut(cost: number, now: number): void {
    this.#empty = { cost, until: Math.min(this.#window.end, now + EMPTY_FOR) };
  }

  /** Another window: what is left goes back to the old one, what is owed comes along. */
  async #turn(now: number): Promise<void> {
    if (this.#balance > 0) await this.#settle();
    const window = this.#terms.windows.at(now);
    const { counters, tenant } = this.#bank;
    // Windows that ended only shrink, so that an old sum is at worst too strict.
    const sums = this.#terms.windows.before(window).map((old) => counters.add(tenant, this.#name, old, 0));
    const used = (await Promise.all(sums)).reduce((sum, { total }) => sum + Math.max(0, total), 0);
    // What came back while the store was asked belongs to the window before.
    this.#balance = Math.min(0, this.#balance);
    this.#window = window;
    this.#cap = this.#terms.limit - used;
    this.#total = 0;
    this.#empty = { cost: Infinity, until: 0 };
  }

  async #settle(): Promise<void> {
    const balance = this.#balance;
    this.#balance = 0;
    this.#lent.accounts.delete(this);
    if (balance === 0) return;
    const { counters, tenant, log } = this.#bank;
    try {
      this.#total = (await counters.add(tenant, this.#name, this.#window, -balance)).total;
    } catch (error) {
      log.warn({ err: error, limit: this.#terms.text, tokens: balance }, 'what a lease left over was not given back');
    }
  }
}
