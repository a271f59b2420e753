/**
 * Every reason for which a message does not pass: what the agent is told, with which codes, and what the operator should do.
 * Codes: JSON-RPC and MCP codes where the specification has one; the gateway's own verdicts use codes outside
 * -32768…-32000 (JSON-RPC 2.0 §5.1). `status` is the HTTP status on the agent's hop; 200 means in-band, because
 * several clients give up a whole session on any 4xx.
 */
export interface ReasonText {
  readonly status: number;
  readonly code: number;
  /** What the agent is told. */
  readonly tell: string;
  /** What the operator should do. */
  readonly remedy: string;
}

// prettier-ignore
export const REASONS = {
  // head
  host_not_allowed:        { status: 403, code: -32600, tell: 'Host not allowed.', remedy: 'Add the host name to `hosts` if agents really use it; otherwise somebody tried DNS rebinding.' },
  origin_not_allowed:      { status: 403, code: -32600, tell: 'Origin not allowed.', remedy: 'Add the origin to `origins` if a browser client of yours uses it.' },
  header_duplicated:       { status: 400, code: -32600, tell: 'A header that decides was sent twice.', remedy: 'Look at proxies between agent and gateway: a doubled header is how requests are smuggled.' },
  endpoint_unknown:        { status: 404, code: -32600, tell: 'There is no MCP endpoint here. Use /mcp or /mcp/<server>.', remedy: 'Compare the client settings with `sallyport status`.' },
  verb_not_allowed:        { status: 405, code: -32600, tell: 'This HTTP method is not allowed here.', remedy: 'GET and DELETE need a legacy session.' },
  media_type_unsupported:  { status: 415, code: -32600, tell: 'Content-Type must be application/json.', remedy: 'Correct the client.' },
  not_acceptable:          { status: 406, code: -32600, tell: 'Accept must list application/json and text/event-stream.', remedy: 'Correct the client.' },
  body_too_large:          { status: 413, code: -32600, tell: 'The message is larger than this gateway accepts.', remedy: 'Raise `limits.message` if such messages are wanted.' },
  draining:                { status: 503, code: -32603, tell: 'The gateway is shutting down; try again in a moment.', remedy: 'Nothing: the gateway was asked to stop.' },
  // authenticate, throttle
  unauthenticated:         { status: 401, code: 401,    tell: 'Authentication is required.', remedy: 'Give the agent a token: `sallyport status` names the file that holds the owner\'s.' },
  credentials_rejected:    { status: 401, code: 401,    tell: 'These credentials are not accepted.', remedy: 'Compare the agent\'s token with the one in the data directory; it changes when the file is deleted.' },
  proof_ended:            { status: 401, code: 401,    tell: 'The proof of identity has ended; authenticate again.', remedy: 'Nothing: the token expired or was revoked while the exchange was open. Longer calls need longer tokens.' },
  agent_unknown:          { status: 403, code: 403,    tell: 'This agent is not registered here.', remedy: 'Register it: `sallyport agent add`. `agents.unknown` says what becomes of agents that are not.' },
  agent_suspended:        { status: 403, code: 403,    tell: 'This agent is suspended.', remedy: '`sallyport agent show` says since when and why, `sallyport agent resume` lets it go on.' },
  agent_expired:          { status: 403, code: 403,    tell: 'The registration of this agent has ended.', remedy: 'Give it another end: `sallyport agent edit --expires`.' },
  throttled:               { status: 429, code: 429,    tell: 'Too many messages at once; try again shortly.', remedy: 'Raise `limits`, or look at what this caller is doing.' },
  // read
  malformed:               { status: 400, code: -32700, tell: 'The message is not one well-formed JSON text.', remedy: 'Correct the client.' },
  not_json_rpc:            { status: 400, code: -32600, tell: 'The message is not one JSON-RPC 2.0 request, notification or answer.', remedy: 'Correct the client. Batches are refused: every call is judged alone.' },
  header_mismatch:         { status: 400, code: -32020, tell: 'Headers and body disagree.', remedy: 'Look at proxies between agent and gateway that rewrite one of the two.' },
  envelope_missing:        { status: 400, code: -32602, tell: 'Required _meta members are missing.', remedy: 'Correct the client: 2026-07-28 wants them on every request.' },
  version_unsupported:     { status: 400, code: -32022, tell: 'This protocol version is not supported.', remedy: 'Use a revision that `sallyport doctor` lists.' },
  capability_missing:      { status: 400, code: -32021, tell: 'The request needs a capability that the client did not declare.', remedy: 'Use a client with that capability, or another tool.' },
  method_unknown:          { status: 404, code: -32601, tell: 'Method not found.', remedy: 'Nothing: the gateway refuses methods it does not know.' },
  method_unknown_legacy:   { status: 200, code: -32601, tell: 'Method not found.', remedy: 'Nothing: the gateway refuses methods it does not know.' },
  params_invalid:          { status: 200, code: -32602, tell: 'Invalid params.', remedy: 'Correct the client.' },
  // correlate
  session_missing:         { status: 400, code: -32600, tell: 'Mcp-Session-Id is required.', remedy: 'The client must send the session id it was given.' },
  session_unknown:         { status: 404, code: -32001, tell: 'Session not found.', remedy: 'The client must initialize again; sessions end when idle or when the gateway restarts.' },
  request_id_in_use:       { status: 400, code: -32600, tell: 'A request with this id is still open.', remedy: 'Correct the client: ids in flight must differ.' },
  answer_unexpected:       { status: 202, code: -32600, tell: 'Nobody asked.', remedy: 'The answer came twice, too late, or from somebody who was not asked; it was dropped.' },
  event_unexpected:        { status: 202, code: -32600, tell: 'No open exchange is meant.', remedy: 'The notification came too late or named an exchange of somebody else; it was dropped.' },
  retry_mismatch:          { status: 200, code: -32602, tell: 'requestState does not belong to this request.', remedy: 'The state was altered, expired, used by another caller, or sent with other arguments.' },
  retry_lost:              { status: 200, code: -32603, tell: 'The call that waited for this answer is gone; make the call again.', remedy: 'The gateway was restarted, another replica holds the call, or nobody came back in time.' },
  // resolve
  server_unknown:          { status: 404, code: -32602, tell: 'There is no such server.', remedy: 'Compare the path with `servers` in the configuration.' },
  tool_unknown:            { status: 200, code: -32602, tell: 'Unknown tool.', remedy: 'The tool is not listed for this caller; list again.' },
  prompt_unknown:          { status: 200, code: -32602, tell: 'Unknown prompt.', remedy: 'The prompt is not listed for this caller; list again.' },
  resource_unknown:        { status: 200, code: -32602, tell: 'Resource not found.', remedy: 'No server lists this URI or a template that matches it.' },
  reference_unknown:       { status: 200, code: -32602, tell: 'Unknown reference.', remedy: 'Complete only what is listed.' },
  task_unknown:            { status: 200, code: -32602, tell: 'Unknown task.', remedy: 'Task handles end with their task and belong to the caller that started it.' },
  cursor_invalid:          { status: 200, code: -32602, tell: 'Invalid cursor.', remedy: 'The gateway hands lists out whole and gives no cursors.' },
  // limit … approve
  limit_reached:           { status: 200, code: 429,    tell: 'A limit is reached; try again later.', remedy: 'Raise `limits`, or look at what this caller is doing.' },
  agent_quarantined:      { status: 200, code: 403,    tell: 'This agent is in quarantine: it may list, and nothing else.', remedy: 'Look at it with `sallyport agent show`, and let it go with `sallyport agent resume`; register it if it is unknown.' },
  out_of_reach:           { status: 200, code: 403,    tell: 'This is outside of what this caller was given.', remedy: 'The scope of its key or the servers of its agent do not hold this; see the detail.' },
  loop_detected:           { status: 200, code: 429,    tell: 'The same call was made too often in a row. Its answer will not change: do something else, or wait.', remedy: 'See what the agent is doing; raise `loop` of `limits/quotas` if it polls by design.' },
  not_admitted:            { status: 200, code: 403,    tell: 'This is waiting for approval.', remedy: 'Approve the server or definition.' },
  arguments_refused:       { status: 200, code: -32602, tell: 'The arguments cannot be accepted.', remedy: 'See the detail: control characters, prototype keys or sizes.' },
  inspection_refused:      { status: 200, code: 403,    tell: 'The content was refused by inspection.', remedy: 'See the findings in the record.' },
  not_permitted:           { status: 200, code: 403,    tell: 'Not permitted.', remedy: 'No rule permits this; see `sallyport explain`.' },
  forbidden:               { status: 200, code: 403,    tell: 'Forbidden by policy.', remedy: 'The rules named in the record forbid this.' },
  approval_unavailable:    { status: 200, code: 403,    tell: 'This call needs approval, and nobody can give it here.', remedy: 'Configure `approve`.' },
  insufficient_scope:      { status: 403, code: 403,    tell: 'The access token does not carry the scopes that this needs.', remedy: 'The agent can ask its authorization server for more; the challenge names the scopes.' },
  // credential, keep, forward
  credential_unavailable:  { status: 200, code: 403,    tell: 'The credential for this server is not available.', remedy: 'Check the reference named in the record.' },
  record_unavailable:      { status: 200, code: -32603, tell: 'The call cannot be recorded, so it was not made.', remedy: 'Check disk space and rights of the audit directory.' },
  upstream_unavailable:    { status: 200, code: -32603, tell: 'The server cannot be reached.', remedy: 'See `sallyport status`; the record says what failed.' },
  upstream_lost:           { status: 200, code: -32603, tell: 'The server went away before it answered. Whether the call took effect is unknown.', remedy: 'See the server\'s own log.' },
  deadline_passed:         { status: 200, code: -32603, tell: 'The server did not answer in time.', remedy: 'Raise the server\'s `deadline` if it is slow by nature.' },
  cancelled:               { status: 200, code: -32800, tell: 'The request was cancelled.', remedy: 'Nothing.' },
  // outward
  upstream_garbage:        { status: 200, code: -32603, tell: 'The server answered with something that is not MCP.', remedy: 'See the detail; the server needs repair.' },
  upstream_too_large:      { status: 200, code: -32603, tell: 'The server\'s answer is larger than this gateway passes on.', remedy: 'Raise `limits.message` if such answers are wanted.' },
  unsolicited:             { status: 200, code: -32603, tell: 'The server sent something nobody asked for.', remedy: 'The message was dropped.' },
  below_log_level:         { status: 200, code: -32603, tell: 'The log message is below the level asked for.', remedy: 'Nothing: it was dropped, as asked.' },
  ask_not_possible:        { status: 200, code: -32601, tell: 'The agent cannot be asked this.', remedy: 'The agent did not declare the capability, or no single open request is meant.' },
  ask_refused:             { status: 200, code: -32603, tell: 'The server asked something that was not answered, so it could not go on.', remedy: 'The record of the ask says who refused.' },
  release_refused:         { status: 200, code: 403,    tell: 'The answer may not be released to you.', remedy: 'See the rules named in the record.' },
  redaction_failed:        { status: 200, code: 403,    tell: 'The answer could not be made safe to release.', remedy: 'See the detail.' },
  // any stage
  stage_failed:            { status: 200, code: -32603, tell: 'An internal check failed, so the message was refused.', remedy: 'See the detail; a stage that throws denies.' },
} as const satisfies Record<string, ReasonText>;

export type Reason = keyof typeof REASONS;

export function reasonText(reason: Reason): ReasonText {
  return REASONS[reason];
}
