/** Policy: may this principal do exactly this, now, in this run? Silence denies. */
import type { JsonObject } from '../../gateway/document.ts';
import type { DefinitionKind, Definition, Endpoint } from '../../gateway/exchange.ts';
import type { Part } from '../../gateway/component.ts';
import type { Principal } from '../../gateway/principal.ts';
import type { Facts } from '../../gateway/stage.ts';
import type { Obligation } from '../../gateway/verdict.ts';

/** What is to be done to what. `server` is absent for what the gateway itself answers. */
export interface Resource {
  readonly endpoint: Endpoint;
  readonly server: string | undefined;
  readonly kind: DefinitionKind | 'server' | 'task' | 'gateway';
  /** The server's own name, never the exposed one. */
  readonly name: string | undefined;
  readonly definition: Definition | undefined;
}

/** What a run has done so far; `ofServer` and `ofTool` are of the server and tool in question. */
export interface RunCounters {
  /** Epoch milliseconds. */
  readonly since: number;
  /** Requests that were sent on their way. */
  readonly calls: number;
  /** Messages of the run, either way, that were refused. */
  readonly denials: number;
  /** Of what came back. */
  readonly bytes: number;
  readonly ofServer: number;
  readonly ofTool: number;
}

export interface Question {
  readonly principal: Principal;
  /** `action` of the method's row. */
  readonly action: string;
  readonly resource: Resource;
  /** The request's params; undefined when they are not known yet (may it be listed?). */
  readonly params: JsonObject | undefined;
  readonly facts: Facts;
  readonly run: string;
  /** What the run has seen: `source:<server>` and other labels. */
  readonly labels: readonly string[];
  /** What the run has done before this; absent where no run is asked for. */
  readonly counters?: RunCounters | undefined;
  readonly risk: number;
  /** The MCP method; for administration its action again. */
  readonly method: string;
  /** Epoch milliseconds. */
  readonly at: number;
  /** IP address that the caller comes from, or `socket` for the gateway's own; undefined where no message came (lists, events). */
  readonly peer: string | undefined;
}

export type Decision =
  | { readonly effect: 'permit'; readonly rules: readonly string[]; readonly obligations: readonly Obligation[] }
  /** No rule permits it. */
  | { readonly effect: 'silence' }
  | { readonly effect: 'forbid'; readonly rules: readonly string[] };

export interface Policy extends Part {
  /** With params unknown: `permit` unless it is denied already, whatever the params will be. */
  decide(question: Question): Decision | Promise<Decision>;
  /** May data go out to this principal? Called per message, so it must be cheap; no arguments. */
  release(question: Omit<Question, 'params'>): Decision;
  /** Version of what decides; moves when a decision could differ. */
  epoch(): number;
}
