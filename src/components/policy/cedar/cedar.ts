/**
 * Policies in Cedar (https://docs.cedarpolicy.com). A set is put in force as a whole, when all of it is valid and its cases
 * have the answers that their author expects; else the one before it stays.
 */
import { defineComponent, type Health, type PartDeps } from '../../../gateway/component.ts';
import type { Decision, Policy, Question } from '../policy.ts';
import { calendarOf, type Moment } from './calendar.ts';
import { Engine } from './engine.ts';
import { exact, listed, prepareOne, released, unprepared, type Judged } from './judge.ts';
import { knownTools } from './known.ts';
import { problemLine } from './compiled.ts';
import { faultsOf, filesOf, loadSet, sourcesOf, type PolicySet } from './load.ts';
import { reads } from './reads.ts';
import { settings, type Settings } from './settings.ts';
import { Slices, type Slice } from './slices.ts';
import { Turns } from './turns.ts';
import { watchFiles, type Watched } from './watch.ts';

export const cedar = defineComponent({
  kind: 'policy',
  use: 'cedar',
  config: settings,
  create: async (config, deps): Promise<Policy> => {
    const policy = new CedarPolicy(config, deps);
    await policy.start();
    return policy;
  },
});

/** What is asked when a list is made. A request of these always has parameters. */
const LISTED = new Set(['tool.call', 'prompt.get', 'resource.read']);
const MINUTE = 60_000;

class CedarPolicy implements Policy {
  readonly #settings: Settings;
  readonly #deps: PartDeps;
  readonly #base: string;
  readonly #engine = new Engine();
  readonly #moment: (at: number) => Moment;
  readonly #turns = new Turns();
  readonly #started: number;
  #judged: Judged;
  #readsTime = false;
  #version = 0;
  #fault: string | undefined;
  #watched: Watched | undefined;

  constructor(config: Settings, deps: PartDeps) {
    this.#settings = config;
    this.#deps = deps;
    this.#base = deps.base ?? process.cwd();
    this.#moment = calendarOf({ zone: config.zone, days: config.calendars });
    this.#started = deps.clock.now();
    this.#judged = this.#judgedBy([]);
  }

  async start(): Promise<void> {
    const set = await this.#read();
    const faults = faultsOf(set);
    if (faults.length > 0) throw new Error(`the policies are not valid:\n${faults.join('\n')}`);
    this.#take(set);
    this.#watched = watchFiles(
      () => filesOf(this.#settings, this.#base),
      () => this.#reload(),
    );
  }

  decide(question: Question): Decision | Promise<Decision> {
    const judged = this.#judged;
    if (question.params === undefined && LISTED.has(question.action))
      return this.#turns.take(() => listed(question, sliceOf(question, judged), judged));
    const slice = sliceOf(question, judged);
    if (unprepared(slice, judged)) return this.#later(question, slice, judged);
    return exact(question, slice, judged);
  }

  release(question: Omit<Question, 'params'>): Decision {
    return released(question, sliceOf(question, this.#judged), this.#judged);
  }

  /** Moves with every set, and with every minute while policies read the time. */
  epoch(): number {
    const minutes = this.#readsTime ? Math.floor((this.#deps.clock.now() - this.#started) / MINUTE) : 0;
    return this.#version + minutes;
  }

  health(): Health {
    return this.#fault === undefined ? { state: 'live' } : { state: 'degraded', detail: this.#fault };
  }

  close(): void {
    this.#watched?.close();
  }

  /** Many policies are prepared a few a turn, so that nobody else has to wait for them. */
  async #later(question: Question, slice: Slice, judged: Judged): Promise<Decision> {
    for (let turns = 0; turns < MOST_TURNS && unprepared(slice, judged); turns += 1) {
      await this.#turns.next();
      prepareOne(slice, judged);
    }
    return exact(question, slice, judged);
  }

  async #read(): Promise<PolicySet> {
    return loadSet(this.#settings, sourcesOf(this.#settings, this.#base), await knownTools(this.#deps));
  }

  async #reload(): Promise<void> {
    try {
      const set = await this.#read();
      const faults = faultsOf(set);
      if (faults.length > 0) this.#refuse(faults);
      else this.#take(set);
    } catch (error) {
      this.#refuse([error instanceof Error ? error.message : String(error)]);
    }
  }

  #refuse(problems: readonly string[]): void {
    this.#fault = 'the changed policies are not valid; the ones before stay in force';
    this.#deps.log.error({ problems }, this.#fault);
  }

  #take(set: PolicySet): void {
    this.#version += 1;
    this.#judged = this.#judgedBy(set.rules);
    this.#readsTime = set.rules.some((rule) => reads(rule.reads, ['time']));
    this.#fault = undefined;
    const { log } = this.#deps;
    const policies = set.warnings.slice(0, MOST_TOLD).map(problemLine);
    if (policies.length > 0)
      log.warn({ policies, more: set.warnings.length - policies.length }, 'look at these policies');
    log.info({ policies: set.rules.length, cases: set.results.length }, 'policies are in force');
  }

  #judgedBy(rules: PolicySet['rules']): Judged {
    const slices = new Slices(rules, this.#version, this.#settings.roles);
    return { slices, engine: this.#engine, moment: this.#moment };
  }
}

const MOST_TURNS = 512;
const MOST_TOLD = 20;

function sliceOf({ principal, action, resource }: Omit<Question, 'params'>, { slices }: Judged): Slice {
  return slices.of(principal, action, resource);
}
