/**
 * Every copy rewritten, or nothing goes out (law 8). And whatever parts there are: the secret that this call's upstream was
 * given never comes back to the agent (law 3) — a server that echoes its environment or headers is refused.
 */
import type { Redacted, Redaction } from '../../components/redaction/redaction.ts';
import { isObject, type Json } from '../document.ts';
import type { House } from '../house.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, pass, PASS, type Deny, type Obligation, type Step, type Verdict } from '../verdict.ts';
import { grantKey } from './credential.ts';
import { serverOfMessage } from './question.ts';

export function redact(house: House): Stage {
  return {
    name: 'redact',
    pass(crossing) {
      const carried = from(house.parts.redaction, 0, crossing, house, []);
      return carried instanceof Promise
        ? carried.then((late) => over(late, crossing, house))
        : over(carried, crossing, house);
    },
  };
}

/** What the parts have carried out of policy's orders, or why one of them refuses. */
type Carried = Obligation[] | Deny;

function from(
  parts: readonly Redaction[],
  first: number,
  crossing: Crossing,
  house: House,
  carried: Obligation[],
): Carried | Promise<Carried> {
  for (let index = first; index < parts.length; index += 1) {
    const redacted = parts[index]!.redact(crossing.message, crossing.exchange, crossing.findings, crossing.obligations);
    if (redacted instanceof Promise)
      return redacted.then(
        (done) => take(done, crossing, house, carried) ?? from(parts, index + 1, crossing, house, carried),
      );
    const verdict = take(redacted, crossing, house, carried);
    if (verdict) return verdict;
  }
  return carried;
}

function take(redacted: Redacted, crossing: Crossing, house: House, carried: Obligation[]): Deny | undefined {
  if (!redacted.ok) return deny('redaction_failed', { detail: redacted.detail });
  carried.push(...redacted.carried);
  if (redacted.edits.length === 0) return undefined;
  if (house.settings.mode === 'observe') crossing.trail.push(WOULD_REDACT);
  else crossing.message = { ...crossing.message, doc: house.codec.edit(crossing.message.doc, redacted.edits) };
  return undefined;
}

/** Law 13: recorded, not carried out. */
const WOULD_REDACT: Step = { stage: 'redact', verdict: pass(['would redact']), would: true };

function over(carried: Carried, crossing: Crossing, house: House): Verdict {
  if (leaks(crossing, house)) {
    // Law 13: observe mode never relaxes the isolation of credentials, so this is asked whatever the parts said.
    crossing.relaxable = false;
    return deny('redaction_failed', { detail: 'the answer holds the credential of its own server' });
  }
  if (!Array.isArray(carried)) return carried;
  const left = crossing.obligations.find((order) => orders(order) && !carried.includes(order));
  return left ? deny('redaction_failed', { detail: `policy orders to ${left.kind}, and no part has done it` }) : PASS;
}

function orders({ kind }: Obligation): boolean {
  return kind === 'redact' || kind === 'mask';
}

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
