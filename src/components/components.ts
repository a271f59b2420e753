/** What is in the box: one line a part. `use:` in the configuration takes these names, or the path of a file of yours. */
import type { AnyComponent } from '../gateway/component.ts';
import { jsonl } from './audit/jsonl/jsonl.ts';
import { staticCredentials } from './credentials/static/static.ts';
import { apiKey } from './identity/api-key/api-key.ts';
import { local } from './identity/local/local.ts';
import { mtls } from './identity/mtls/mtls.ts';
import { facts } from './inspection/facts/facts.ts';
import { none as noInspection } from './inspection/none/none.ts';
import { oauth } from './identity/oauth/oauth.ts';
import { concurrency } from './limits/concurrency/concurrency.ts';
import { quotas } from './limits/quotas/quotas.ts';
import { cedar } from './policy/cedar/cedar.ts';
import { owner } from './policy/owner/owner.ts';
import { none as noRedaction } from './redaction/none/none.ts';
import { constant } from './risk/constant/constant.ts';
import { embeddedStore, postgresStore } from './store/parts.ts';

// prettier-ignore
export const COMPONENTS: readonly AnyComponent[] = [
  // kind: identity     who is it, and how proven?
  local,
  apiKey,
  mtls,
  oauth,
  // kind: policy       may this principal do exactly this?
  owner,
  cedar,
  // kind: limits       how much of what?
  concurrency,
  quotas,
  // kind: inspection   what is in a message?
  noInspection,
  facts,
  // kind: redaction    what may not pass
  noRedaction,
  // kind: credentials  which secret does an upstream get?
  staticCredentials,
  // kind: audit        what was tried, and what came of it
  jsonl,
  // kind: risk         one number for policy
  constant,
  // kind: store        what must be remembered
  embeddedStore,
  postgresStore,
];
