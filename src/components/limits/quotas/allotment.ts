/** A quota, a budget or a number of bytes a window: one account a key. */
import { hash } from 'node:crypto';
import type { Exchange } from '../../../gateway/exchange.ts';
import { Lru } from '../../../lib/lru.ts';
import type { Ended } from '../limits.ts';
import { Account, type Bank, type Lent, type Terms } from './account.ts';
import { REMEMBERED, type Answer, type Meter, type Refused, type Taken } from './meter.ts';
import type { Window } from './windows.ts';

/** What a call costs, in whole tokens: before it is made, and once it is known what came of it. */
export interface Price {
  asked(exchange: Exchange): number;
  final(asked: number, ended: Ended): number;
}

/** Milliseconds without a call after which unspent tokens go back. */
const IDLE = 5_000;

export class Allotment implements Meter {
  readonly #accounts = new Lru<string, Account>(REMEMBERED);
  /** An account that is forgotten stays here until it has settled. */
  readonly #lent: Lent = { accounts: new Set(), closed: false };
  readonly #name: string;
  readonly #terms: Terms;
  readonly #price: Price;
  readonly #bank: Bank;
  readonly #timer: NodeJS.Timeout;

  /** @param name of the counters in the store; the same rule finds them again after a restart */
  constructor(name: string, terms: Terms, price: Price, bank: Bank) {
    this.#name = name;
    this.#terms = terms;
    this.#price = price;
    this.#bank = bank;
    this.#timer = setInterval(() => void this.rest(), IDLE).unref();
  }

  take(key: string, exchange: Exchange): Answer | Promise<Answer> {
    const cost = this.#price.asked(exchange);
    if (cost === 0) return FREE;
    const account = this.#accountOf(key);
    const taken = account.take(cost);
    return taken instanceof Promise
      ? taken.then((late) => this.#answer(account, late, cost))
      : this.#answer(account, taken, cost);
  }

  /** What idle accounts have left goes back to the store, for other processes. */
  async rest(): Promise<void> {
    const before = this.#bank.clock.now() - IDLE;
    await Promise.all(Array.from(this.#lent.accounts, (account) => account.rest(before)));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#lent.closed = true;
    await Promise.all(Array.from(this.#lent.accounts, (account) => account.close()));
  }

  #answer(account: Account, taken: Window | Refused, cost: number): Answer {
    return 'ok' in taken ? taken : new Charge(account, taken, cost, this.#price);
  }

  #accountOf(key: string): Account {
    let account = this.#accounts.get(key);
    if (account) return account;
    // Names in the store are short, keys of strangers need not be.
    const name = `${this.#name}/${hash('sha256', key, 'base64url')}`;
    account = new Account(name, this.#terms, this.#bank, this.#lent);
    this.#accounts.set(key, account);
    return account;
  }
}

const FREE: Taken = { ok: true, undo: () => undefined, ended: () => undefined };

class Charge implements Taken {
  readonly ok = true;
  readonly #account: Account;
  readonly #window: Window;
  readonly #cost: number;
  readonly #price: Price;

  constructor(account: Account, window: Window, cost: number, price: Price) {
    this.#account = account;
    this.#window = window;
    this.#cost = cost;
    this.#price = price;
  }

  undo(): void {
    this.#account.correct(this.#window, -this.#cost);
  }

  ended(ended: Ended | undefined): void {
    if (ended) this.#account.correct(this.#window, this.#price.final(this.#cost, ended) - this.#cost);
  }
}
