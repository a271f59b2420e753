/**
 * `sallyport/suites`: the contract of each kind as tests of node:test, for a part of your own, with samples to build them from.
 * docs/guide/components.md shows how to run one.
 */
export { identitySuite, type IdentityCase } from './components/identity/identity.suite.ts';
export { policySuite, type PolicyCase } from './components/policy/policy.suite.ts';
export { limitsSuite, type LimitsCase } from './components/limits/limits.suite.ts';
export { inspectionSuite, type InspectionCase } from './components/inspection/inspection.suite.ts';
export { redactionSuite, type RedactionCase } from './components/redaction/redaction.suite.ts';
export { credentialsSuite, type CredentialsCase } from './components/credentials/credentials.suite.ts';
export { auditSuite, type AuditCase } from './components/audit/audit.suite.ts';
export { riskSuite } from './components/risk/risk.suite.ts';
export type { Made, Make } from './components/using.ts';
export {
  sampleArrival,
  sampleAttempt,
  sampleCall,
  sampleDeps,
  sampleDoc,
  sampleExchange,
  sampleOutcome,
  samplePrincipal,
  sampleQuestion,
  sampleResult,
} from './components/samples.ts';
