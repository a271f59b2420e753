/**
 * Every copy rewritten, or nothing goes out (law 8). And whatever parts there are: the secret that this call's upstream was
 * given never comes back to the agent (law 3) — a server that echoes its environment or headers is refused.
 */
import type { Redacted, Redaction } from '../../components/redaction/redaction.ts';
import { isObject, type Json } from '../document.ts';
import type { House } from '../house.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, pass, PASS, type Step, type Verdict } from '../verdict.ts';
import { grantKey } from './credential.ts';
import { serverOfMessage } from './question.ts';

export function redact(house: House): Stage {
  return { name: 'redact', pass: (crossing) => from(house.parts.redaction, 0, crossing, house) };
}

function from(
  parts: readonly Redaction[],
  first: number,
  crossing: Crossing,
  house: House,
): Verdict | Promise<Verdict> {
  for (let index = first; index < parts.length; index += 1) {
    const redacted = parts[index]!.redact(crossing.message, crossing.exchange, crossing.findings, crossing.obligations);
    if (redacted instanceof Promise)
      return redacted.then((done) => take(done, crossing, house) ?? from(parts, index + 1, crossing, house));
    const verdict = take(redacted, crossing, house);
    if (verdict) return verdict;
  }
  if (!leaks(crossing, house)) return PASS;
  // Law 13: observe mode never relaxes the isolation of credentials.
  crossing.relaxable = false;
  return deny('redaction_failed', { detail: 'the answer holds the credential of its own server' });
}

function take(redacted: Redacted, crossing: Crossing, house: House): Verdict | undefined {
  if (!redacted.ok) return deny('redaction_failed', { detail: redacted.detail });
  if (redacted.edits.length === 0) return undefined;
  if (house.settings.mode === 'observe') crossing.trail.push(WOULD_REDACT);
  else crossing.message = { ...crossing.message, doc: house.codec.edit(crossing.message.doc, redacted.edits) };
  return undefined;
}

/** Law 13: recorded, not carried out. */
const WOULD_REDACT: Step = { stage: 'redact', verdict: pass(['would redact']), would: true };

function leaks(crossing: Crossing, house: House): boolean {
  const server = serverOfMessage(crossing);
  const grant =
    crossing.grant ??
    (server === undefined ? undefined : house.grants.get(grantKey(server, crossing.exchange.principal)));
  if (!grant || grant.secrets.length === 0) return false;
  const { bytes, value } = crossing.message.doc;
  const secrets = grant.secrets.filter((secret) => secret !== '');
  if (secrets.some((secret) => bytes.includes(secret))) return true;
  // `\/` or `\u0073` spell a secret in other bytes: then the strings count, as the agent will read them.
  return bytes.includes('\\') && holds(value, secrets);
}

function holds(value: Json, secrets: readonly string[]): boolean {
  if (typeof value === 'string') return secrets.some((secret) => value.includes(secret));
  if (Array.isArray(value)) return value.some((item) => holds(item, secrets));
  return isObject(value) && Object.entries(value).some(([key, item]) => holds(key, secrets) || holds(item, secrets));
}
