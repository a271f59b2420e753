/**
 * What Sallyport promises, as data. Every promise has tests that cite its id (`verifies`) and fail when the stage or
 * component that keeps it is taken away (`npm run test:without`). SECURITY.md names the same ids.
 */
import type { StageName } from '../src/gateway/pipeline.ts';

export interface Requirement {
  readonly id: string;
  readonly promise: string;
  /** A law of docs, a section of the MCP specification, or another standard. */
  readonly source: string;
  /** Without this stage the promise is broken. */
  readonly stage?: `${'inward' | 'outward'}:${StageName}`;
  /** Without this part of the box (`kind/use`) the promise is broken. */
  readonly component?: string;
}

// prettier-ignore
export const REQUIREMENTS = [
  // the way in
  { id: 'head.host',             stage: 'inward:head',         source: 'MCP basic/transports, security warning', promise: 'A request for another host name is refused before its body is read.' },
  { id: 'head.origin',           stage: 'inward:head',         source: 'MCP basic/transports, security warning', promise: 'A request from a web page that is not listed is refused before its body is read.' },
  { id: 'head.smuggling',        stage: 'inward:head',         source: 'law 2',                                  promise: 'A request that repeats a header which decides something is refused.' },
  { id: 'head.size',             stage: 'inward:head',         source: 'law 11',                                 promise: 'A body that is announced larger than allowed is never read.' },
  { id: 'identity.required',     stage: 'inward:authenticate', source: 'law 1',                                  promise: 'Whoever is not identified reaches nothing: no server, no catalog, no answer of the gateway.' },
  { id: 'identity.no-fallback',  stage: 'inward:authenticate', source: 'law 4',                                  promise: 'A wrong proof is refused and never repaired by a weaker one.' },
  { id: 'throttle.before-read',  stage: 'inward:throttle',     source: 'law 11',                                 promise: 'How much one caller makes the gateway read at once is bounded before reading.' },
  { id: 'read.strict',           stage: 'inward:read',         source: 'law 2',                                  promise: 'Only one strictly well-formed message is read: no duplicate keys, no batches, no second spelling.' },
  { id: 'method.default-deny',   stage: 'inward:correlate',    source: 'law 1',                                  promise: 'A method without a row, outside its era or on the wrong wire, is refused.' },
  { id: 'session.bound',         stage: 'inward:correlate',    source: 'law 10',                                 promise: 'A session, its requests and its asks answer to the principal that opened them only.' },
  { id: 'resolve.hidden',        stage: 'inward:resolve',      source: 'law 6',                                  promise: 'What the catalog does not show to a caller does not exist for it, and is not asked of a server.' },
  { id: 'limit.bounded',         stage: 'inward:limit',        source: 'law 11',                                 promise: 'Open requests of one principal are bounded, and what was taken is given back on every way out.' },
  { id: 'admit.listed',          stage: 'inward:admit',        source: 'law 7',                                  promise: 'A server that is not admitted is not reached, whatever policy says.' },
  { id: 'validate.arguments',    stage: 'inward:validate',     source: 'CWE-1321',                               promise: 'Prototype keys and control characters in names are refused before anybody judges them.' },
  { id: 'inspect.refuses',       stage: 'inward:inspect',      source: 'law 11',                                 promise: 'What an inspection refuses does not reach a server.' },
  { id: 'policy.default-deny',   stage: 'inward:authorize',    source: 'law 1',                                  promise: 'Without a rule that permits it, nothing is done.' },
  { id: 'approve.holds',         stage: 'inward:approve',      source: 'law 9',                                  promise: 'A call that policy holds for a person is not made while nobody can approve it.' },
  { id: 'credential.issued',     stage: 'inward:credential',   source: 'law 3',                                  promise: 'A server gets its own credential; a call without the one it needs is not made.' },
  { id: 'attempt.kept-first',    stage: 'inward:keep',         source: 'law 5',                                  promise: 'Nothing is forwarded before its attempt is kept; where it cannot be kept, it is not made.' },
  { id: 'forward.once',          stage: 'inward:forward',      source: 'law 1',                                  promise: 'What passed every stage is forwarded exactly once, to whom its row names.' },
  // the way out
  { id: 'answer.readable',       stage: 'outward:read',        source: 'law 11',                                 promise: 'What a server sends and is no message does not reach the agent.' },
  { id: 'answer.expected',       stage: 'outward:match',       source: 'law 10',                                 promise: 'Answers to nobody, events without a place and asks that the agent did not offer are dropped.' },
  { id: 'answer.shaped',         stage: 'outward:validate',    source: 'law 11',                                 promise: 'An answer without the shape of its kind is refused, in observe mode too.' },
  { id: 'answer.inspected',      stage: 'outward:inspect',     source: 'law 8',                                  promise: 'What an inspection refuses in an answer, event or ask does not reach the agent.' },
  { id: 'release.permitted',     stage: 'outward:authorizeRelease', source: 'law 1',                             promise: 'Data goes out only to whom policy releases it; a moved policy is asked again.' },
  { id: 'secret.never-back',     stage: 'outward:redact',      source: 'law 3',                                  promise: 'The credential of a server never comes back through the gateway, in any spelling of JSON, nor into a record.' },
  { id: 'run.labelled',          stage: 'outward:label',       source: 'architecture: words',                    promise: 'A run remembers which servers its agent has heard.' },
  { id: 'run.unforgeable',       source: 'architecture §4',               promise: 'What an agent says of itself never splits its run; a session, a claim of its proof or idleness does.' },
  { id: 'run.counted',           source: 'architecture §4',               promise: 'Policy is told what a run has done before: calls, refusals, bytes, by server and tool.' },
  { id: 'outcome.kept-first',    stage: 'outward:keep',        source: 'law 5',                                  promise: 'No byte of an answer, event or ask is released before it is kept.' },
  { id: 'release.ordered',       stage: 'outward:release',     source: 'law 2',                                  promise: 'What may go out is released, in the order in which the server sent it.' },
  // the box
  { id: 'local.token',           component: 'identity/local',     source: 'law 1',            promise: 'The owner is who holds the token of the data directory; any other token is refused.' },
  { id: 'api-key.exact',         component: 'identity/api-key',   source: 'law 1',            promise: 'A caller with a key is who the key was made for; a key that differs in one character is refused.' },
  { id: 'api-key.ends',          component: 'identity/api-key',   source: 'law 4',            promise: 'An expired, revoked or rotated-out key is refused on every replica, and what was opened with it ends.' },
  { id: 'api-key.hashed',        source: 'law 3',                 promise: 'A key is shown once; only its hash is kept.' },
  { id: 'mtls.verified',         component: 'identity/mtls',      source: 'RFC 5280; SPIFFE X509-SVID', promise: 'A client certificate counts when an authority of the configuration stands behind it, in its time, for its trust domain, and an entry names it.' },
  { id: 'mtls.revoked',          component: 'identity/mtls',      source: 'RFC 5280 §5',      promise: 'A revoked certificate is refused, and everybody is while the list that would say so is out of date.' },
  { id: 'mtls.proxies',          component: 'identity/mtls',      source: 'RFC 9440 §4',      promise: 'Client-Cert counts from named proxies only; from anybody else its presence is refused.' },
  { id: 'oauth.verified',        component: 'identity/oauth',     source: 'RFC 9068; RFC 8725', promise: 'A token of an authorization server counts only as that server signed it.' },
  { id: 'oauth.audience',        component: 'identity/oauth',     source: 'MCP basic/authorization; RFC 8707', promise: 'A token that was made for another resource, another endpoint of the gateway included, is refused.' },
  { id: 'oauth.bound',           component: 'identity/oauth',     source: 'RFC 9449; RFC 8705', promise: 'A token that is bound to a key or certificate is worth nothing in other hands, and a proof counts once.' },
  { id: 'oauth.keys',            component: 'identity/oauth',     source: 'law 11',           promise: 'Keys rotate without a gap, and no caller can make the gateway flood an issuer.' },
  { id: 'oauth.revoked',         component: 'identity/oauth',     source: 'law 1',            promise: 'What is withdrawn at the gateway is refused at once, on every replica, after a restart too.' },
  { id: 'oauth.scopes',          component: 'identity/oauth',     source: 'RFC 6750 §3.1',    promise: 'An operation without its scopes is refused with one challenge that names all of them.' },
  { id: 'owner.only',            component: 'policy/owner',       source: 'law 1',            promise: 'The default policy permits the owner the listed servers, and nobody anything else.' },
  { id: 'cedar.default-deny',    component: 'policy/cedar',       source: 'law 1',            promise: 'Only what a policy permits is permitted; what forbids wins, and a policy that cannot be evaluated denies.' },
  { id: 'cedar.only-read',       component: 'policy/cedar',       source: 'law 4',            promise: 'A value that policy cannot hold is refused where a policy reads it, and an argument never becomes an entity.' },
  { id: 'cedar.lists-sound',     component: 'policy/cedar',       source: 'law 6',            promise: 'What is not listed is denied with any arguments, and what is surely denied is not listed.' },
  { id: 'concurrency.bounded',   component: 'limits/concurrency', source: 'law 11',           promise: 'Nobody has more open requests than allowed, and neither have all together.' },
  { id: 'quotas.bounded',        component: 'limits/quotas',      source: 'law 11',           promise: 'A quota is never passed, whoever races and whatever restarts, and the rule that refuses is named.' },
  { id: 'quotas.loop',           component: 'limits/quotas',      source: 'law 11',           promise: 'An agent that makes the same call again and again is stopped, and told so.' },
  { id: 'inspection.says-none',  component: 'inspection/none',    source: 'law 12',           promise: 'The stand-in for inspection is a part by name, so that `explain` shows that nothing is inspected.' },
  { id: 'facts.never-guess',     component: 'inspection/facts',   source: 'law 11',           promise: 'What policy is told of paths, URLs, SQL and recipients is what they are, or that it is unclear.' },
  { id: 'redaction.all-or-none', component: 'redaction/none',     source: 'law 8',            promise: 'A redaction that policy orders and nobody can carry out stops the answer.' },
  { id: 'static.hidden',         component: 'credentials/static', source: 'law 3',            promise: 'A server gets its configured secret, the bare secret behind a scheme counts as one, and its record name says nothing about it.' },
  { id: 'jsonl.kept',            component: 'audit/jsonl',        source: 'law 5',            promise: 'A record is in the file when `keep` has returned, and a restart closes open attempts as unknown.' },
  { id: 'risk.constant',         component: 'risk/constant',      source: 'architecture: words', promise: 'Policy is told the configured risk.' },
  { id: 'store.embedded',        component: 'store/embedded',     source: 'architecture: state', promise: 'What the embedded store was told is there after a restart, and a name is used up once.' },
  { id: 'store.postgres',        component: 'store/postgres',     source: 'architecture: state', promise: 'The PostgreSQL store is configured by a reference and refuses a configuration without one.' },
  // agents
  { id: 'admin.no-around',       source: 'law 1',  promise: 'Every operation of the admin API is refused without identity, without permission and out of reach; a suspended agent administers nothing.' },
  { id: 'admin.recorded',        source: 'law 5',  promise: 'What is administered is recorded with who and what before it is done, and what came of it after; never with a key.' },
  { id: 'agents.unknown',        source: 'architecture: words', promise: 'A caller that is not registered is refused, held in quarantine or a guest, as the setting says; a proof that differs in one property is not the registered one.' },
  { id: 'agents.stopped',        source: 'architecture §2, admit', promise: 'A suspended or expired agent is refused, and what it has open ends within a second, on every replica.' },
  { id: 'agents.quarantine',     source: 'architecture §2, admit', promise: 'An agent in quarantine may list, and nothing else, in observe mode too.' },
  { id: 'agents.tenants',        source: 'architecture: state', promise: 'Agents and keys never cross tenants.' },
  { id: 'reach.narrows',         source: 'architecture §2, admit', promise: 'What the scope of a key or the registration of an agent does not hold is not reached, whatever policy says.' },
  // laws that are no single stage's
  { id: 'order.in-words',        source: 'architecture §2', promise: 'The stages stand in the order that the laws need: judged before credentials, recorded before moved.' },
  { id: 'pipeline.complete',     source: 'law 4',  promise: 'A row of the pipeline without a file behind it does not start.' },
  { id: 'way.no-around',         source: 'law 1',  promise: 'Every method of both eras is identified, authorized and recorded.' },
  { id: 'fail.closed',           source: 'law 4',  promise: 'A stage that throws, rejects or answers with no verdict denies, in observe mode too.' },
  { id: 'observe.limited',       source: 'law 13', promise: 'Observe mode turns verdicts of observable stages into recorded would-verdicts, and nothing else.' },
  { id: 'attempt.concluded',     source: 'law 5',  promise: 'Every attempt that is kept gets exactly one outcome, whichever end comes first.' },
  { id: 'deadline.ends',         source: 'law 4',  promise: 'A deadline ends an exchange with an outcome and cancels what was sent; asks rest it and do not renew it.' },
  { id: 'proof.ends',            source: 'law 1; MCP security best practices', promise: 'An exchange and the news of a session end with the proof of identity that they rest on, expired or revoked.' },
  { id: 'ask.child',             source: 'law 10', promise: 'An ask of a server is a child exchange: judged outward, its answer judged inward, unanswered when its parent ends.' },
  { id: 'ledger.isolated',       source: 'law 10', promise: 'Equal ids and sessions of two principals never meet.' },
  { id: 'sync.free',             source: 'architecture §2', promise: 'A stage that needs no waiting costs no waiting.' },
  { id: 'record.no-raw-refusal', source: 'law 8',  promise: 'Of a server\'s message that was refused only the digest is kept.' },
  { id: 'retry.bound',           source: 'MCP basic/patterns/mrtr', promise: 'A multi-round-trip state continues only the caller\'s own request, and once.' },
  { id: 'park.own-retry',        source: 'law 10; MCP basic/patterns/mrtr', promise: 'A retry continues only the very call that asked, once, and is told at once when that call is gone.' },
  { id: 'park.given-up',         source: 'law 4',  promise: 'A call whose agent cannot or may not come back is given up, and its server is told.' },
  { id: 'park.nothing-lost',     source: 'MCP basic/patterns/mrtr', promise: 'Whatever a server asks or says while its agent is away reaches the retry, and every answer reaches the server as it was given.' },
  { id: 'rounds.bounded',        source: 'law 11', promise: 'A modern server that asks a legacy agent again and again, or something it did not offer, is ended with a clear error.' },
  { id: 'rounds.recorded',       source: 'law 5',  promise: 'Every round at a modern server is an attempt before it is sent, and gets one outcome.' },
  { id: 'rounds.exact',          source: 'law 2',  promise: 'Asks and answers cross between the eras without losing a byte, and the server\'s state comes back as it was.' },
  { id: 'imports.direction',     source: 'architecture §1', promise: 'The core knows no component, components know no sibling, and only the edge knows the SDK.' },
  { id: 'parser.one',            source: 'law 2',  promise: 'Hostile text is parsed by the one strict parser and nowhere else.' },
  { id: 'docs.true',             source: 'law 12', promise: 'The drawings and promises in the documents are those of the code.' },
] as const satisfies readonly Requirement[];

export type RequirementId = (typeof REQUIREMENTS)[number]['id'];
