/** Everything the stages may use: the ports, the parts in force, and the ledger of what is open. Made by compose.ts. */
import type { Audit } from '../components/audit/audit.ts';
import type { AuditRecord } from '../components/audit/record.ts';
import type { Credentials } from '../components/credentials/credentials.ts';
import type { Identity } from '../components/identity/identity.ts';
import type { Inspection } from '../components/inspection/inspection.ts';
import type { Limits } from '../components/limits/limits.ts';
import type { Policy } from '../components/policy/policy.ts';
import type { Redaction } from '../components/redaction/redaction.ts';
import type { Risk } from '../components/risk/risk.ts';
import type { Handles } from './handles.ts';
import type { Keyring } from './keyring.ts';
import type { Ledger, Open } from './ledger.ts';
import type { Runs, RunSettings } from './runs.ts';
import type { BoundStage } from './walk.ts';
import type {
  Agents,
  Answerer,
  Arrival,
  Catalog,
  Clock,
  Codec,
  Grant,
  Log,
  Observer,
  Reader,
  Sessions,
  Upstreams,
} from './ports.ts';
import type { Exchange, Target } from './exchange.ts';
import type { Lru } from '../lib/lru.ts';
import type { Deny } from './verdict.ts';

/** The replaceable parts in force. Swapped as one on reload. */
export interface Parts {
  readonly identity: readonly Identity[];
  readonly policy: Policy;
  readonly limits: readonly Limits[];
  readonly inspection: readonly Inspection[];
  readonly redaction: readonly Redaction[];
  readonly credentials: ReadonlyMap<string, Credentials>;
  readonly audit: Audit;
  readonly risk: Risk;
}

/** Settings that the core itself reads. Swapped as one on reload. */
export interface CoreSettings {
  readonly mode: 'enforce' | 'observe';
  readonly messageBytes: number;
  /** Milliseconds an exchange may take when its server names no deadline. */
  readonly deadline: number;
  /** Milliseconds a person or model may take to answer an ask; the parent's deadline rests meanwhile. */
  readonly askDeadline: number;
  readonly serverDeadline: (server: string) => number;
  readonly runs: RunSettings;
  /** SHA-256 of the effective configuration: kept in every record. */
  readonly configDigest: string;
  readonly hostAllowed: (host: string | undefined) => boolean;
  readonly originAllowed: (origin: string | undefined, host: string | undefined) => boolean;
  /** Whether this server, and this definition of it, may be used at all. */
  readonly admitted: (target: Target) => boolean;
}

export interface House {
  readonly gateway: { readonly name: string; readonly version: string };
  readonly clock: Clock;
  readonly log: Log;
  readonly codec: Codec;
  readonly reader: Reader;
  readonly sessions: Sessions;
  readonly agents: Agents;
  readonly catalog: Catalog;
  readonly upstreams: Upstreams;
  /** Answers of the gateway itself, by method. */
  readonly answers: Readonly<Record<string, Answerer>>;
  readonly keyring: Keyring;
  readonly handles: Handles;
  /** True exactly once per name until then; over all replicas. */
  readonly consume: (name: string, until: number) => Promise<boolean>;
  /** Compares `Mcp-Param-*` headers with the arguments they mirror. */
  readonly mirrored: (arrival: Arrival, exchange: Exchange) => Deny | undefined;
  readonly observer: Observer;
  readonly ledger: Ledger;
  /** Calls that wait at legacy servers for modern agents to come back, by the id of the exchange that asked. */
  readonly parked: Map<string, Open>;
  readonly runs: Runs;
  /** The latest grant by server and principal: its secrets never come back (law 3). */
  readonly grants: Lru<string, Grant>;
  readonly stages: { readonly inward: readonly BoundStage[]; readonly outward: readonly BoundStage[] };
  parts: Parts;
  settings: CoreSettings;
  /** Version of configuration and parts; moves with every reload. */
  epoch: number;
  draining: boolean;
}

/** The version under which a decision is made now; never the same for two different sets of parts or policies. */
export function epochOf(house: House): number {
  return house.epoch * 1_000_000 + house.parts.policy.epoch();
}

/** Keeps a record, or throws. */
export function keep(house: House, record: AuditRecord): void | Promise<void> {
  house.observer.kept?.(record.type);
  return house.parts.audit.keep(record);
}
