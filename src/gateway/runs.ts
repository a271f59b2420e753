/**
 * Runs: what one agent context has seen. Only evidence that the agent cannot forge splits a run: a session that the gateway
 * minted, else the verified principal (architecture §4).
 */
import { Lru } from '../lib/lru.ts';
import type { Principal } from './principal.ts';

/** Labels of so many runs are remembered; the least recently used is forgotten first. */
const REMEMBERED = 100_000;

export class Runs {
  readonly #labels = new Lru<string, Set<string>>(REMEMBERED);

  of(principal: Principal, session: string | undefined): string {
    return session === undefined ? `principal:${principal.key}` : `session:${session}`;
  }

  /** A session that ended never comes back: its id was minted here. */
  ended(session: string): void {
    this.#labels.delete(`session:${session}`);
  }

  saw(run: string, label: string): void {
    const labels = this.#labels.get(run);
    if (labels) labels.add(label);
    else this.#labels.set(run, new Set([label]));
  }

  labels(run: string): readonly string[] {
    return [...(this.#labels.get(run) ?? [])];
  }
}
