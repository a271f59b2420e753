/** Which secret does the upstream get? No stage after this one judges, and none before it saw the secret (law 2, law 3). */
import type { Issued } from '../../components/credentials/credentials.ts';
import type { House } from '../house.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';
import { serverOf } from './question.ts';

export function credential(house: House): Stage {
  return { name: 'credential', pass: (crossing) => issue(crossing, house) };
}

function issue(crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  const server = serverOf(crossing.exchange.target);
  const part = server === undefined ? undefined : house.parts.credentials.get(server);
  if (server === undefined || part === undefined) return PASS;
  const issued = part.issue(server, crossing.principal);
  return issued instanceof Promise ? issued.then((found) => take(found, crossing)) : take(issued, crossing);
}

function take(issued: Issued, crossing: Crossing): Verdict {
  if (!issued.issued) return deny('credential_unavailable', { detail: issued.detail });
  crossing.grant = issued.grant;
  return PASS;
}
