/** Law 5: a restart closes open attempts as `outcome unknown`. */
import type { Clock } from '../../../gateway/ports.ts';
import { newId } from '../../../lib/ids.ts';
import { RECORD_VERSION, type AuditRecord } from '../record.ts';

/** Outcomes for the attempts in `text` that have none. A torn last line (power cut) is passed over. */
export function closeOpenAttempts(text: string, clock: Clock, gateway: { readonly name: string; readonly version: string }): AuditRecord[] {
  const open = new Map<string, { run: string; config: string }>();
  for (const line of text.split('\n')) follow(line, open);
  return [...open].map(([exchange, { run, config }]) => ({
    v: RECORD_VERSION, id: newId(clock), at: new Date(clock.now()).toISOString(), gateway: { ...gateway, config },
    type: 'outcome', exchange, run, status: 'unknown', detail: 'the gateway ended before the answer came', verdicts: [], findings: [], labels: [], milliseconds: 0,
  }));
}

function follow(line: string, open: Map<string, { run: string; config: string }>): void {
  // Only two kinds matter, and parsing a day's log whole would delay the start.
  if (!line.includes('"type":"attempt"') && !line.includes('"type":"outcome"')) return;
  const record = parse(line);
  if (record?.type === 'attempt') open.set(record.exchange, { run: record.run, config: record.gateway.config });
  if (record?.type === 'outcome') open.delete(record.exchange);
}

function parse(line: string): AuditRecord | undefined {
  try {
    return JSON.parse(line) as AuditRecord;
  } catch {
    return undefined;
  }
}
