/** Recorded before it is done: the attempt before it is made, events and outcomes before a byte of them is released (law 5). */
import { keep as keepRecord, type House } from '../house.ts';
import { answeredAsks } from '../asks.ts';
import { answerRecord, askRecords, attemptRecord, eventRecord, outcomeRecord } from '../records.ts';
import type { AuditRecord } from '../../components/audit/record.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';

export function keep(house: House): Stage {
  return {
    name: 'keep',
    pass: (crossing) => (over(crossing) ? ended(crossing) : kept(recordsOf(crossing, house), crossing, house)),
  };
}

/** A stage before may have waited: what was cancelled meanwhile is neither attempted nor concluded twice. */
function over({ exchange }: Crossing): boolean {
  return exchange.state !== 'open';
}

function ended({ direction }: Crossing): Verdict {
  return direction === 'inward' ? deny('cancelled') : deny('unsolicited', { detail: 'the exchange ended meanwhile' });
}

function recordsOf(crossing: Crossing, house: House): readonly AuditRecord[] {
  switch (crossing.kind) {
    case 'opening':
      mark(crossing, 'attempted', house);
      return [attemptRecord(crossing, house), ...answers(crossing, house)];
    case 'event':
      return [eventRecord(crossing, house)];
    case 'closing': {
      mark(crossing, 'concluded', house);
      const status = crossing.message.payload === 'error' ? 'error' : 'result';
      return [
        ...(crossing.parks ? [] : askRecords(crossing, house)),
        outcomeRecord(crossing.exchange, status, crossing, house),
      ];
    }
  }
}

/** An ask of a parked call is an open exchange, with one outcome: none for an answer to what was given up meanwhile. */
function answers(crossing: Crossing, house: House): AuditRecord[] {
  return answeredAsks(crossing.message, crossing.asked)
    .filter(({ id }) => !crossing.continues || concludes(id, house))
    .map((asked) => answerRecord(crossing, asked, house));
}

function concludes(id: string, house: House): boolean {
  const ask = house.ledger.byId(id);
  if (!ask || ask.concluded) return false;
  ask.concluded = true;
  return true;
}

function kept(records: readonly AuditRecord[], crossing: Crossing, house: House): Verdict | Promise<Verdict> {
  const waiting = records.map((record) => keepRecord(house, record)).filter((done) => done instanceof Promise);
  return waiting.length === 0 ? PASS : Promise.all(waiting).then(() => still(crossing));
}

/** While the record was written, the agent may have hung up or the deadline passed: then nothing is sent. */
function still(crossing: Crossing): Verdict {
  return over(crossing) ? ended(crossing) : PASS;
}

/** An attempt must have an outcome, whatever happens; an outcome, only one. */
function mark(crossing: Crossing, what: 'attempted' | 'concluded', house: House): void {
  const open = house.ledger.byId(crossing.exchange.id);
  if (open) open[what] = true;
}
