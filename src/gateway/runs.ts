/**
 * Runs: what one agent context has seen and done. Only evidence that the agent cannot forge splits a run (architecture §4): a
 * session that the gateway minted, else a claim of the verified proof, else the verified principal until it has been idle for
 * a while. What an agent says of itself (trace context, conversation ids) never splits one: it could wash its labels off.
 *
 * Kept by this process, least recently used first to go: replicas need sticky sessions (docs/adr/0005).
 */
import { systemClock } from '../lib/clock.ts';
import type { RunCounters } from '../components/policy/policy.ts';
import { Lru } from '../lib/lru.ts';
import type { Exchange } from './exchange.ts';
import type { Clock } from './ports.ts';
import { principalKey, type Principal } from './principal.ts';
import { serverOf } from './stages/question.ts';

export interface RunSettings {
  /** Milliseconds without any message after which a principal's next one begins a new run. */
  readonly idle: number;
  /** Claims of the proof that tell contexts of one principal apart, the first that is there. */
  readonly claims: readonly string[];
}

export const RUNS: RunSettings = { idle: 30 * 60_000, claims: ['sid'] };

/** Where a label comes from: the exchange that first brought it. */
export interface Origin {
  readonly label: string;
  readonly exchange: string;
  readonly server: string | undefined;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** So many runs are remembered, and so many of one principal: whoever opens more forgets his own. */
const REMEMBERED = 100_000;
const OF_ONE = 1_000;
/** Servers and tools that are counted apart in one run. */
const APART = 1_000;

type Message = Pick<Exchange, 'id' | 'run' | 'principal' | 'target'>;

export class Runs {
  readonly #clock: Clock;
  readonly #settings: () => RunSettings;
  readonly #runs = new Lru<string, Run>(REMEMBERED);
  readonly #ofOne = new Lru<string, Lru<string, true>>(REMEMBERED);
  /** The run that a principal without session and claim is in, and when it was last heard of. */
  readonly #current = new Lru<string, { run: string; heard: number }>(REMEMBERED);

  constructor(clock: Clock = systemClock, settings: () => RunSettings = () => RUNS) {
    this.#clock = clock;
    this.#settings = settings;
  }

  of(principal: Principal, session: string | undefined): string {
    if (session !== undefined) return `session:${session}`;
    const claim = this.#claimOf(principal);
    return claim === undefined ? this.#currentOf(principal) : `claim:${principalKey(principal.key, ...claim)}`;
  }

  /** A session that ended never comes back: its id was minted here. */
  ended(session: string): void {
    this.#runs.delete(`session:${session}`);
  }

  /** Data with this label has reached the agent. */
  saw(exchange: Message, label: string): void {
    this.#label(exchange.run, exchange, label);
    // An answer that was under way while the window ended belongs to what its agent hears now.
    const now = this.#heard(exchange);
    if (now !== undefined && now !== exchange.run) this.#label(now, exchange, label);
  }

  called(exchange: Message): void {
    const run = this.#runOf(exchange.run, exchange.principal);
    run.calls += 1;
    const server = serverOf(exchange.target);
    if (server === undefined) return;
    count(run.apart, server);
    if (exchange.target.of === 'definition') count(run.apart, toolKey(server, exchange.target.name));
    this.#heard(exchange);
  }

  denied(exchange: Message): void {
    this.#runOf(exchange.run, exchange.principal).denials += 1;
  }

  /** So many bytes came back. */
  heard(exchange: Message, bytes: number): void {
    this.#runOf(exchange.run, exchange.principal).bytes += bytes;
  }

  labels(run: string): readonly string[] {
    const known = this.#runs.get(run);
    return known ? Array.from(known.labels.keys()) : [];
  }

  /** Each label with what first brought it. */
  origins(run: string): readonly Origin[] {
    const known = this.#runs.get(run);
    return known ? Array.from(known.labels.values()) : [];
  }

  counters(run: string, server?: string, tool?: string): RunCounters {
    const { since, calls, denials, bytes, apart } = this.#runs.get(run) ?? new Run(this.#clock.now());
    const ofServer = server === undefined ? 0 : (apart.get(server) ?? 0);
    const ofTool = server === undefined || tool === undefined ? 0 : (apart.get(toolKey(server, tool)) ?? 0);
    return { since, calls, denials, bytes, ofServer, ofTool };
  }

  #claimOf({ claims }: Principal): [name: string, value: string] | undefined {
    if (!claims) return undefined;
    for (const name of this.#settings().claims) {
      const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
      if (typeof value === 'string' && value !== '') return [name, value];
    }
    return undefined;
  }

  #currentOf(principal: Principal): string {
    const now = this.#clock.now();
    const current = this.#current.get(principal.key);
    if (current && now - current.heard < this.#settings().idle) {
      current.heard = now;
      return current.run;
    }
    const run = `principal:${principal.key}@${now}`;
    this.#current.set(principal.key, { run, heard: now });
    return run;
  }

  /** The run that its principal is in now, where that is no session's and no claim's; not idle any more. */
  #heard({ run, principal }: Message): string | undefined {
    const current = run.startsWith('principal:') ? this.#current.get(principal.key) : undefined;
    if (current) current.heard = this.#clock.now();
    return current?.run;
  }

  #label(run: string, { id, principal, target }: Message, label: string): void {
    const { labels } = this.#runOf(run, principal);
    if (labels.has(label)) return;
    labels.set(label, { label, exchange: id, server: serverOf(target), at: this.#clock.now() });
  }

  #runOf(run: string, principal: Principal): Run {
    const known = this.#runs.get(run);
    if (known) return known;
    const made = new Run(this.#clock.now());
    this.#runs.set(run, made);
    this.#bound(run, principal.key);
    return made;
  }

  /** Whoever opens session after session must not make the labels of others forgotten. */
  #bound(run: string, principal: string): void {
    let mine = this.#ofOne.get(principal);
    if (!mine) this.#ofOne.set(principal, (mine = new Lru<string, true>(OF_ONE, (old) => this.#runs.delete(old))));
    mine.set(run, true);
  }
}

class Run {
  readonly since: number;
  readonly labels = new Map<string, Origin>();
  readonly apart = new Map<string, number>();
  calls = 0;
  denials = 0;
  bytes = 0;

  constructor(since: number) {
    this.since = since;
  }
}

/** No name of a server holds a slash. */
const toolKey = (server: string, tool: string): string => `${server}/${tool}`;

function count(apart: Map<string, number>, name: string): void {
  const known = apart.get(name);
  if (known !== undefined || apart.size < APART) apart.set(name, (known ?? 0) + 1);
}
