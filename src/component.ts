/**
 * `sallyport/component`: everything that a part of your own is written with. docs/guide/components.md shows the way.
 * A part is a file that exports `component`, made by `defineComponent`; `use: ./my-part.ts` puts it in force.
 */

// What every part has.
export { defineComponent } from './gateway/component.ts';
export type { AnyComponent, Component, Health, Part, PartDeps } from './gateway/component.ts';
export type { Clock, Log } from './gateway/ports.ts';
/** For `config`: the gateway's own zod, so that one version checks and describes all settings. */
export { z } from 'zod';
/** Settings with units: `30s` gives milliseconds, `4MiB` gives bytes. */
export { duration, size } from './lib/units.ts';

// What the contracts are made of.
export { isObject } from './gateway/document.ts';
export type { Doc, Edit, Json, JsonObject, Path, Span } from './gateway/document.ts';
export type {
  Definition,
  DefinitionKind,
  Direction,
  Endpoint,
  Era,
  Exchange,
  Message,
  MessageKind,
  Target,
} from './gateway/exchange.ts';
export type { Arrival, Grant, Peer } from './gateway/ports.ts';
export { principalKey } from './gateway/principal.ts';
export type { Actor, Principal, Strength } from './gateway/principal.ts';
export type { Facts, Finding } from './gateway/stage.ts';
export type { Obligation } from './gateway/verdict.ts';

// The contract of each kind.
export type { Identified, Identity } from './components/identity/identity.ts';
export type { Decision, Policy, Question, Resource, RunCounters } from './components/policy/policy.ts';
export type { Allowance, Ended, Limits } from './components/limits/limits.ts';
export type { Inspected, Inspection } from './components/inspection/inspection.ts';
export type { Redacted, Redaction } from './components/redaction/redaction.ts';
export type { Credentials, Issued } from './components/credentials/credentials.ts';
export type { Audit, Durability } from './components/audit/audit.ts';
export { auditRecord, RECORD_VERSION } from './components/audit/record.ts';
export type { AuditRecord } from './components/audit/record.ts';
/** What `params`, `result` and the `body` of events are where the gateway keeps them whole. */
export { Payload } from './gateway/payload.ts';
export type { Risk } from './components/risk/risk.ts';
