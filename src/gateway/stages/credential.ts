/** Which secret does the upstream get? No stage after this one judges, and none before it saw the secret (law 2, law 3). */
import type { Issued } from '../../components/credentials/credentials.ts';
import type { House } from '../house.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';
import { serverOf } from './question.ts';
import { principalKey, type Principal } from '../principal.ts';

export function credential(house: House): Stage {
  return { name: 'credential', pass: (crossing) => issue(crossing, house) };
}

function issue(crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  const server = serverOf(crossing.exchange.target);
  const part = server === undefined ? undefined : house.parts.credentials.get(server);
  if (server === undefined || part === undefined) return PASS;
  const issued = part.issue(server, crossing.principal);
  return issued instanceof Promise
    ? issued.then((found) => take(found, server, crossing, house))
    : take(issued, server, crossing, house);
}

function take(issued: Issued, server: string, crossing: Crossing, house: House): Verdict {
  if (!issued.issued) return deny('credential_unavailable', { detail: issued.detail });
  crossing.grant = issued.grant;
  house.grants.set(grantKey(server, crossing.principal), issued.grant);
  return PASS;
}

/** Where the latest grant of a principal for a server is remembered, for what the server says outside a call. */
export function grantKey(server: string, { key }: Principal): string {
  return principalKey(server, key);
}
