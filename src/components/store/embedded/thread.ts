/** The event loop's end of the SQLite thread: gathers requests into batches and hands out the answers. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Announce } from '../sql/database.ts';
import { StoreError } from '../store.ts';
import type { Answer, FromThread, Row, Statement, ToThread, Unit } from './protocol.ts';

type Rows = readonly (readonly Row[])[];

interface Waiting {
  resolve(rows: Rows): void;
  reject(error: StoreError): void;
}

/** Most writes of one transaction, so that the first of them does not wait for the thousandth. */
const BATCH = 256;

export class SqliteThread {
  readonly #worker: Worker;
  readonly #announce: Announce;
  readonly #waiting = new Map<number, Waiting>();
  readonly #opened = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #reads: Unit[] = [];
  #writes: Unit[] = [];
  #lastId = 0;
  #busy = true;
  #closing = false;
  #broken: StoreError | undefined;

  private constructor(file: string, announce: Announce) {
    this.#announce = announce;
    // Type-stripped sources in development, JavaScript in the package: the thread runs what this file is.
    const url = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);
    // Flags of the process (a REPL's, a test runner's) are none of the thread's business, and some would stop it.
    this.#worker = new Worker(url, { workerData: { file }, execArgv: [] });
    this.#worker.on('message', (message: FromThread) => this.#hear(message));
    this.#worker.on('error', (error) => this.#break(`the SQLite thread failed: ${String(error)}`));
    this.#worker.on('exit', () => this.#exited());
  }

  static async start(file: string, announce: Announce): Promise<SqliteThread> {
    const thread = new SqliteThread(file, announce);
    await thread.#opened.promise;
    return thread;
  }

  read(statements: readonly Statement[]): Promise<Rows> {
    return this.#ask(this.#reads, statements);
  }

  write(statements: readonly Statement[]): Promise<Rows> {
    return this.#ask(this.#writes, statements);
  }

  /** Answers what is waiting, then ends the thread. */
  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#flush();
    }
    return this.#ended.promise;
  }

  #ask(queue: Unit[], statements: readonly Statement[]): Promise<Rows> {
    if (this.#broken) return Promise.reject(this.#broken);
    if (this.#closing) return Promise.reject(new StoreError('STORE_CLOSED', 'the store is closed'));
    const { promise, resolve, reject } = Promise.withResolvers<Rows>();
    this.#lastId += 1;
    this.#waiting.set(this.#lastId, { resolve, reject });
    if (this.#reads.length + this.#writes.length === 0) setImmediate(() => this.#flush());
    queue.push({ id: this.#lastId, statements });
    return promise;
  }

  /** One batch is under way at a time: what is asked for meanwhile makes up the next, larger one. */
  #flush(): void {
    if (this.#busy) return;
    const batch = { reads: this.#reads.splice(0), writes: this.#writes.splice(0, BATCH) };
    if (batch.reads.length + batch.writes.length > 0) {
      this.#busy = true;
      this.#post({ ask: 'batch', batch });
    } else if (this.#closing) {
      this.#busy = true;
      this.#post({ ask: 'close' });
    }
  }

  #post(message: ToThread): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window: there is no origin.
    this.#worker.postMessage(message);
  }

  #hear(message: FromThread): void {
    switch (message.say) {
      case 'ready':
        this.#opened.resolve();
        return this.#free();
      case 'refused':
        return this.#break(`the database cannot be opened: ${message.fault}`);
      case 'answers':
        for (const answer of message.answers) this.#settle(answer);
        return message.changes.forEach((change) => this.#announce(change));
      case 'done':
        return this.#free();
      case 'elsewhere':
        return this.#announce(undefined);
      case 'closed':
        return;
    }
  }

  #free(): void {
    this.#busy = false;
    this.#flush();
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('rows' in answer) waiting?.resolve(answer.rows);
    else waiting?.reject(new StoreError('STORE_UNAVAILABLE', `the database refused: ${answer.fault}`));
  }

  /** Without its thread the store answers nothing any more: everyone fails closed, and health says why. */
  #break(why: string): void {
    this.#broken = new StoreError('STORE_UNAVAILABLE', why);
    this.#opened.reject(this.#broken);
    for (const waiting of this.#waiting.values()) waiting.reject(this.#broken);
    this.#waiting.clear();
  }

  #exited(): void {
    if (!this.#closing && !this.#broken) this.#break('the SQLite thread ended');
    this.#ended.resolve();
  }
}
