/** From the parts that a configuration names to parts in force: created in order, closed in reverse. */
import type { Audit } from './components/audit/audit.ts';
import type { Credentials } from './components/credentials/credentials.ts';
import type { Identity } from './components/identity/identity.ts';
import type { Inspection } from './components/inspection/inspection.ts';
import type { Limits } from './components/limits/limits.ts';
import type { Policy } from './components/policy/policy.ts';
import type { Redaction } from './components/redaction/redaction.ts';
import type { Risk } from './components/risk/risk.ts';
import { constant } from './components/risk/constant/constant.ts';
import type { ChosenPart, Config } from './config/config.ts';
import type { Part, PartDeps } from './gateway/component.ts';
import type { Parts } from './gateway/house.ts';
import type { NamedPart } from './telemetry/health.ts';

export interface MadeParts {
  readonly parts: Parts;
  /** `kind/use`, and the server's name for credentials. */
  readonly named: readonly NamedPart[];
  /** Ends them in reverse order; `except` is the part that a reload goes on using. */
  close(except?: Part): Promise<void>;
}

/** Creates every part, or closes those already made and throws: nothing half-made stays behind. */
export async function makeParts(config: Config, deps: PartDeps, kept?: Audit): Promise<MadeParts> {
  const made: NamedPart[] = [];
  try {
    const parts = await create(config, deps, made, kept);
    return { parts, named: made, close: (except) => closeAll(made, except) };
  } catch (error) {
    await closeAll(made, kept);
    throw error;
  }
}

/** `kept`: the audit part in force, which a reload with the same audit settings goes on using: one file has one writer. */
async function create(config: Config, deps: PartDeps, made: NamedPart[], kept: Audit | undefined): Promise<Parts> {
  const make = maker(deps, made);
  return {
    audit: kept ? keepOn(config.audit, kept, made) : await make<Audit>(config.audit),
    identity: await inOrder(config.identity, make<Identity>),
    policy: await make<Policy>(config.policy),
    limits: await inOrder(config.limits, make<Limits>),
    inspection: await inOrder(config.inspect, make<Inspection>),
    redaction: await inOrder(config.redact, make<Redaction>),
    credentials: await credentials(config, make),
    risk: await make<Risk>(config.risk ?? { component: constant, config: constant.config.parse({}) }),
  };
}

function keepOn(chosen: ChosenPart, kept: Audit, made: NamedPart[]): Audit {
  made.push({ name: nameOf(chosen), part: kept });
  return kept;
}

function nameOf({ component }: ChosenPart, of?: string): string {
  return [component.kind, component.use, of].filter(Boolean).join('/');
}

type Make = <P extends Part>(chosen: ChosenPart, of?: string) => Promise<P>;

function maker(deps: PartDeps, made: NamedPart[]): Make {
  return async <P extends Part>(chosen: ChosenPart, of?: string) => {
    const part = await chosen.component.create(chosen.config, deps);
    made.push({ name: nameOf(chosen, of), part });
    // The kind of a part was checked when the configuration was loaded.
    return part as P;
  };
}

async function inOrder<P>(chosen: readonly ChosenPart[], make: (one: ChosenPart) => Promise<P>): Promise<P[]> {
  const parts: P[] = [];
  for (const one of chosen) parts.push(await make(one));
  return parts;
}

async function credentials({ servers }: Config, make: Make): Promise<ReadonlyMap<string, Credentials>> {
  const parts = new Map<string, Credentials>();
  for (const { name, credentials: chosen } of servers) {
    if (chosen) parts.set(name, await make<Credentials>(chosen, name));
  }
  return parts;
}

async function closeAll(made: readonly NamedPart[], except?: Part): Promise<void> {
  for (const { part } of made.toReversed()) if (part !== except) await part.close?.();
}
