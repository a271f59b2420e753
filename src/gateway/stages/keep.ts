/** Recorded before it is done: the attempt before it is made, events and outcomes before a byte of them is released (law 5). */
import { keep as keepRecord, type House } from '../house.ts';
import { attemptRecord, eventRecord, outcomeRecord } from '../records.ts';
import type { AuditRecord } from '../../components/audit/record.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';

export function keep(house: House): Stage {
  return { name: 'keep', pass: (crossing) => kept(recordOf(crossing, house), crossing, house) };
}

function recordOf(crossing: Crossing, house: House): AuditRecord {
  switch (crossing.kind) {
    case 'opening':
      markAttempted(crossing, house);
      return attemptRecord(crossing, house);
    case 'event':
      return eventRecord(crossing, house);
    case 'closing':
      return outcomeRecord(
        crossing.exchange,
        crossing.message.payload === 'error' ? 'error' : 'result',
        crossing,
        house,
      );
  }
}

function kept(record: AuditRecord, crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  const done = keepRecord(house, record);
  return done instanceof Promise ? done.then(() => still(crossing)) : PASS;
}

/** While the record was written, the agent may have hung up or the deadline passed: then nothing is sent. */
function still(crossing: Crossing): Verdict {
  return crossing.exchange.state === 'open' ? PASS : deny('cancelled');
}

/** From here on an outcome must follow, whatever happens. */
function markAttempted(crossing: Crossing, house: House): void {
  const open = house.ledger.byId(crossing.exchange.id);
  if (open) open.attempted = true;
}
