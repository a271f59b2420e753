/**
 * The versioned record schema that every audit part keeps (schema/audit-record.schema.json is made from it).
 * attempt → events* → outcome are one exchange; `refusal` stands for a message that did not cross; `notice` for what is
 * no message: start, stop, configuration, definitions seen.
 */
import { z } from 'zod';

export const RECORD_VERSION = 1;

const principal = z.strictObject({
  key: z.string(),
  tenant: z.string(),
  issuer: z.string(),
  subject: z.string(),
  agent: z.string().optional(),
  person: z.string().optional(),
  groups: z.array(z.string()),
  chain: z.array(z.strictObject({ issuer: z.string(), subject: z.string() })),
  proof: z.strictObject({ use: z.string(), strength: z.string() }),
});

const verdict = z.strictObject({
  effect: z.enum(['pass', 'deny', 'hold']),
  reason: z.string().optional(),
  rules: z.array(z.string()),
  /** Observe mode: what would have happened. */
  would: z.boolean().optional(),
  stage: z.string(),
  detail: z.string().optional(),
});

const base = {
  v: z.literal(RECORD_VERSION),
  /** Unique, sortable by time. */
  id: z.string(),
  /** RFC 3339, milliseconds, UTC. */
  at: z.string(),
  gateway: z.strictObject({ name: z.string(), version: z.string(), config: z.string() }),
};

const about = {
  exchange: z.string(),
  parent: z.string().optional(),
  resumes: z.string().optional(),
  run: z.string(),
  principal,
  client: z.unknown().optional(),
  session: z.string().optional(),
  era: z.enum(['modern', 'legacy']),
  version: z.string(),
  method: z.string(),
  /** JSON text of the JSON-RPC id on the agent's hop. */
  requestId: z.string().optional(),
  endpoint: z.string(),
  server: z.string().optional(),
  kind: z.string().optional(),
  name: z.string().optional(),
  definition: z.string().optional(),
  trace: z.string().optional(),
};

const body = z.strictObject({
  /** Of the bytes as they travelled. Absent where `json` is these bytes. */
  sha256: z.string().optional(),
  /** Of the payload as it travelled. */
  bytes: z.number(),
  /** The payload, where it is kept. */
  json: z.unknown().optional(),
});

export const auditRecord = z.discriminatedUnion('type', [
  z.strictObject({
    ...base,
    ...about,
    type: z.literal('attempt'),
    opener: z.enum(['agent', 'server']),
    params: body.optional(),
    verdicts: z.array(verdict),
    obligations: z.array(z.string()),
    epoch: z.number(),
    grant: z.string().optional(),
  }),
  z.strictObject({
    ...base,
    exchange: z.string(),
    type: z.literal('events'),
    events: z.array(
      z.strictObject({ method: z.string(), direction: z.enum(['inward', 'outward']), at: z.string(), body }),
    ),
  }),
  z.strictObject({
    ...base,
    exchange: z.string(),
    run: z.string(),
    type: z.literal('outcome'),
    status: z.enum(['result', 'error', 'refused', 'failed', 'cancelled', 'unknown']),
    reason: z.string().optional(),
    detail: z.string().optional(),
    result: body.optional(),
    verdicts: z.array(verdict),
    findings: z.array(z.unknown()),
    labels: z.array(z.string()),
    milliseconds: z.number(),
  }),
  z.strictObject({
    ...base,
    type: z.literal('refusal'),
    direction: z.enum(['inward', 'outward']),
    stage: z.string(),
    reason: z.string(),
    detail: z.string().optional(),
    rules: z.array(z.string()),
    peer: z.string().optional(),
    endpoint: z.string().optional(),
    principal: principal.optional(),
    exchange: z.string().optional(),
    run: z.string().optional(),
    method: z.string().optional(),
    requestId: z.string().optional(),
    server: z.string().optional(),
    name: z.string().optional(),
    params: body.optional(),
  }),
  z.strictObject({ ...base, type: z.literal('notice'), what: z.string(), details: z.unknown().optional() }),
]);

export type AuditRecord = z.infer<typeof auditRecord>;
export type RecordPrincipal = z.infer<typeof principal>;
export type RecordVerdict = z.infer<typeof verdict>;
export type RecordBody = z.infer<typeof body>;
