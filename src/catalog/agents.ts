/**
 * The registry of agents: who may come with which proof, for whom, how far, until when. It lives in the store, so that all
 * replicas share it, and in memory, so that every message can ask it.
 *
 * Proofs are compared exactly. What a proof says is its issuer's word, and a pattern over it would let whoever names things
 * there name himself into an agent.
 */
import type { Records, StoredRecord } from '../components/store/store.ts';
import type { Agents as AgentsPort, Clock, Log } from '../gateway/ports.ts';
import { principalKey, type Principal, type Reach } from '../gateway/principal.ts';
import { deny, type Deny } from '../gateway/verdict.ts';
import { FIELDS, type Agent, agentRecord, type AgentChange, type NewAgent, type Proof } from './agent.ts';

/** What becomes of a caller that is not registered. */
export type Unknown = 'refuse' | 'quarantine' | 'guest';

export interface AgentsDeps {
  readonly records: Records;
  readonly tenant: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Asked each time: a reload may change it. */
  readonly unknown: () => Unknown;
}

/** `taken`: the name, or the proof that another agent has. `conflict`: somebody else changed it at the same time. */
export type Written =
  | { readonly ok: true; readonly agent: Agent }
  | { readonly ok: false; readonly why: 'unknown' | 'conflict' }
  | { readonly ok: false; readonly why: 'taken'; readonly by: string };

interface Kept {
  readonly agent: Agent;
  readonly version: number;
}

interface Answer {
  readonly version: number;
  readonly proven: Principal;
  readonly known: Principal | Deny;
}

const COLLECTION = 'agents';
const PAGE = 500;
/** What a timer can hold. */
const LONGEST = 2 ** 31 - 1;

export class Agents implements AgentsPort {
  readonly #deps: AgentsDeps;
  readonly #agents = new Map<string, Kept>();
  readonly #listeners = new Set<() => void>();
  readonly #answers = new WeakMap<Principal, Answer>();
  #byProof: ReadonlyMap<string, readonly Agent[]> = new Map();
  #version = 0;
  #stop: () => void = () => undefined;
  #expiry: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();

  private constructor(deps: AgentsDeps) {
    this.#deps = deps;
  }

  static async open(deps: AgentsDeps): Promise<Agents> {
    const agents = new Agents(deps);
    // Before the first look: what changes meanwhile is told, and looked at again.
    agents.#stop = deps.records.watch(deps.tenant, COLLECTION, (key) => void agents.#refresh(key));
    await agents.#readAll();
    agents.#moved();
    return agents;
  }

  /** Something that decides has changed: a replica's word, an expiry, a reload. Returns the way to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The setting for unknown agents may have changed. */
  reloaded(): void {
    this.#moved();
  }

  close(): Promise<void> {
    this.#stop();
    clearTimeout(this.#expiry);
    this.#listeners.clear();
    return this.#reading;
  }

  // ---- asked for every message --------------------------------------------------------------------------------

  known(principal: Principal): Principal | Deny {
    const before = this.#answers.get(principal);
    if (before?.version === this.#version) return before.known;
    const proven = before?.proven ?? principal;
    const fresh = this.#judge(proven);
    const known = before && !('effect' in before.known) && same(before.known, fresh) ? before.known : fresh;
    const answer: Answer = { version: this.#version, proven, known };
    this.#answers.set(principal, answer);
    if (!('effect' in known)) this.#answers.set(known, answer);
    return known;
  }

  /**
   * For who administers: whoever is registered is judged by that, whoever is not is left to policy. An owner who is no agent
   * must be able to register the first one, whatever `agents.unknown` says.
   */
  asGuest(principal: Principal): Principal | Deny {
    return this.#judge(principal, 'guest');
  }

  #judge(principal: Principal, unknown: Unknown = this.#deps.unknown()): Principal | Deny {
    if (principal.tenant !== this.#deps.tenant) return this.#unknown(principal, unknown);
    const claimed = keysOf(principal).flatMap((key) => this.#byProof.get(key) ?? []);
    const [agent, other] = claimed;
    if (!agent) return this.#unknown(principal, unknown);
    // Writers refuse it; two that raced on two replicas may have made it, and then neither is meant.
    if (other) return deny('agent_suspended', { detail: `${agent.name} and ${other.name} claim the same proof` });
    return admitted(agent, principal, this.#deps.clock.now());
  }

  #unknown(principal: Principal, unknown: Unknown): Principal | Deny {
    switch (unknown) {
      case 'refuse':
        return deny('agent_unknown', { detail: `${principal.proof.use}: ${principal.subject}` });
      case 'quarantine':
        return { ...principal, quarantined: true };
      case 'guest':
        return principal;
    }
  }

  // ---- asked by whoever administers ---------------------------------------------------------------------------

  list(): readonly Agent[] {
    return [...this.#agents.values()].map(({ agent }) => agent).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): Agent | undefined {
    return this.#agents.get(name)?.agent;
  }

  async add(given: NewAgent): Promise<Written> {
    const at = new Date(this.#deps.clock.now()).toISOString();
    return this.#write({ ...given, state: 'active', created: at, changed: at }, 'absent');
  }

  async change(name: string, change: AgentChange): Promise<Written> {
    await this.#reading;
    const kept = this.#agents.get(name);
    if (!kept) return { ok: false, why: 'unknown' };
    const agent = merged(kept.agent, change, new Date(this.#deps.clock.now()).toISOString());
    return this.#write(agent, kept.version);
  }

  async remove(name: string): Promise<boolean> {
    const { records, tenant } = this.#deps;
    const removed = await records.remove(tenant, COLLECTION, name, 'any');
    await this.#refresh(name);
    return removed;
  }

  async #write(agent: Agent, expected: number | 'absent'): Promise<Written> {
    const taken = this.#takenBy(agent);
    if (taken !== undefined) return { ok: false, why: 'taken', by: taken };
    const { records, tenant } = this.#deps;
    const value = JSON.stringify(agentRecord.parse(agent));
    const written = await records.put(tenant, COLLECTION, agent.name, { value, expected });
    // Whoever is told that it is done can rely on it here at once.
    await this.#refresh(agent.name);
    if (written !== 'conflict') return { ok: true, agent };
    return expected === 'absent' ? { ok: false, why: 'taken', by: agent.name } : { ok: false, why: 'conflict' };
  }

  #takenBy({ name, proofs }: Agent): string | undefined {
    const others = proofs.flatMap((proof) => this.#byProof.get(keyOf(proof)) ?? []);
    return others.find((other) => other.name !== name)?.name;
  }

  // ---- kept the same as the store -----------------------------------------------------------------------------

  /** One after the other: an older answer never overwrites a newer one. */
  #refresh(key: string | undefined): Promise<void> {
    this.#reading = this.#reading.then(async () => {
      try {
        if (key === undefined) await this.#readAll();
        else await this.#readOne(key);
        this.#moved();
      } catch (error) {
        this.#deps.log.error({ err: error }, 'the registry of agents could not be read; what was known stays in force');
        this.#tryAgain();
      }
    });
    return this.#reading;
  }

  #tryAgain(): void {
    setTimeout(() => void this.#refresh(undefined), 1_000).unref();
  }

  async #readAll(): Promise<void> {
    const { records, tenant } = this.#deps;
    const found = new Map<string, Kept>();
    for (let after: string | undefined; ;) {
      const page = await records.list(tenant, COLLECTION, { limit: PAGE, ...(after === undefined ? {} : { after }) });
      for (const record of page.records) found.set(record.key, keptIn(record));
      if (page.next === undefined) break;
      after = page.next;
    }
    this.#agents.clear();
    for (const [name, kept] of found) this.#agents.set(name, kept);
  }

  async #readOne(name: string): Promise<void> {
    const record = await this.#deps.records.get(this.#deps.tenant, COLLECTION, name);
    if (record) this.#agents.set(name, keptIn(record));
    else this.#agents.delete(name);
  }

  #moved(): void {
    this.#version += 1;
    this.#byProof = indexed(this.list());
    this.#awaitExpiry();
    for (const listener of this.#listeners) listener();
  }

  #awaitExpiry(): void {
    clearTimeout(this.#expiry);
    const now = this.#deps.clock.now();
    const next = Math.min(
      ...this.list()
        .map(endOf)
        .filter((end) => end > now),
    );
    if (next === Infinity) return;
    this.#expiry = setTimeout(() => this.#moved(), Math.min(LONGEST, next - now));
    this.#expiry.unref();
  }
}

function keptIn({ value, version }: StoredRecord): Kept {
  return { agent: agentRecord.parse(JSON.parse(value)), version };
}

/** `null` takes an optional member away. */
function merged(agent: Agent, change: AgentChange, changed: string): Agent {
  const entries = Object.entries({ ...agent, ...change, changed }).filter(([, value]) => value !== null);
  return agentRecord.parse(Object.fromEntries(entries));
}

function endOf({ expires }: Agent): number {
  return expires === undefined ? Infinity : Date.parse(expires);
}

// ---- proofs ------------------------------------------------------------------------------------------------------

function keyOf({ use, issuer, subject, agent }: Proof): string {
  return principalKey(use, issuer, subject, agent);
}

/** Every form in which a registration may name this caller's proof. */
function keysOf({ proof, issuer, subject, agent }: Principal): string[] {
  const names = [{ subject }, ...(agent === undefined ? [] : [{ agent }, { subject, agent }])];
  return names.flatMap((name) => [keyOf({ use: proof.use, ...name }), keyOf({ use: proof.use, issuer, ...name })]);
}

function indexed(agents: readonly Agent[]): ReadonlyMap<string, readonly Agent[]> {
  const index = new Map<string, Agent[]>();
  for (const agent of agents) {
    for (const key of new Set(agent.proofs.map(keyOf))) index.set(key, [...(index.get(key) ?? []), agent]);
  }
  return index;
}

// ---- one agent ---------------------------------------------------------------------------------------------------

function admitted(agent: Agent, principal: Principal, now: number): Principal | Deny {
  if (endOf(agent) <= now) return deny('agent_expired', { detail: `${agent.name} ended ${agent.expires}` });
  switch (agent.state) {
    case 'suspended':
      return deny('agent_suspended', { detail: `${agent.name}${agent.why === undefined ? '' : `: ${agent.why}`}` });
    case 'quarantined':
      return { ...asAgent(agent, principal), quarantined: true };
    case 'active':
      return asAgent(agent, principal);
  }
}

function asAgent({ name, groups, servers }: Agent, principal: Principal): Principal {
  const reach: readonly Reach[] = [...(principal.reach ?? []), ...(servers === undefined ? [] : [{ servers }])];
  const all = [...new Set([...principal.groups, ...groups])];
  return { ...principal, agent: name, groups: all, ...(reach.length > 0 ? { reach } : {}) };
}

/** Whether what was let in as `before` is still the same caller with the same rights. */
function same(before: Principal, after: Principal | Deny): boolean {
  if ('effect' in after) return false;
  return FIELDS.every((field) => JSON.stringify(before[field]) === JSON.stringify(after[field]));
}
