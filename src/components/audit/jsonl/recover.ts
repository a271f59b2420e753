/** Law 5: a restart closes open attempts as `outcome unknown`. */
import type { Clock } from '../../../gateway/ports.ts';
import { newId } from '../../../lib/ids.ts';
import { RECORD_VERSION, type AuditRecord } from '../record.ts';
import { eachHead } from './heads.ts';

interface Attempt {
  readonly run: string;
  readonly config: string;
}

/** Outcomes for the attempts in `file` that have none. A torn line (power cut) is passed over. */
export function closeOpenAttempts(
  file: string,
  clock: Clock,
  gateway: { readonly name: string; readonly version: string },
): AuditRecord[] {
  const open = new Map<string, Attempt>();
  eachHead(file, (head) => follow(head, open));
  return [...open].map(([exchange, { run, config }]) => ({
    v: RECORD_VERSION,
    id: newId(clock),
    at: new Date(clock.now()).toISOString(),
    gateway: { ...gateway, config },
    type: 'outcome',
    exchange,
    run,
    status: 'unknown',
    detail: 'the gateway ended before the answer came',
    verdicts: [],
    findings: [],
    labels: [],
    milliseconds: 0,
  }));
}

const STRING = '("(?:[^"\\\\]|\\\\.)*")';
// The order is the one that jsonl.ts writes.
const START = `^\\{"v":${RECORD_VERSION},"at":${STRING},"id":${STRING},"type":`;
const OUTCOME = new RegExp(`${START}"outcome","exchange":${STRING}`);
const ATTEMPT = new RegExp(
  `${START}"attempt","exchange":${STRING},"run":${STRING},"gateway":\\{"name":${STRING},"version":${STRING},"config":${STRING}\\}`,
);

function follow(head: string, open: Map<string, Attempt>): void {
  const outcome = OUTCOME.exec(head);
  if (outcome) return void open.delete(text(outcome[3]));
  const attempt = ATTEMPT.exec(head);
  if (attempt) open.set(text(attempt[3]), { run: text(attempt[4]), config: text(attempt[7]) });
}

function text(json: string | undefined): string {
  return JSON.parse(json ?? '""') as string;
}
