/** docs/reference/reasons.md: every reason for which a message does not pass. */
import { REASONS, reasonText } from '../../src/gateway/reasons.ts';
import type { Reason } from '../../src/gateway/reasons.ts';
import { code, page, tableOf } from './markdown.ts';

const LEAD = `A message that does not pass has one of these reasons. The agent is told the sentence and the code; the record also keeps the stage, the rules and what exactly was found.

HTTP 200 means that the refusal travels inside the answer: several clients give up a whole session on any 4xx. Codes that are not between -32768 and -32000 are the gateway's own verdicts; the others are those of JSON-RPC and MCP.`;

export function reasonsPage(): string {
  const rows = (Object.keys(REASONS) as Reason[]).map((reason) => {
    const { status, code: number, tell, remedy } = reasonText(reason);
    return [code(reason), String(status), String(number), tell, remedy];
  });
  return page('Reasons', LEAD, tableOf(['reason', 'HTTP', 'code', 'the agent is told', 'what to do'], rows));
}
