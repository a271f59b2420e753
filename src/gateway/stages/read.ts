/** One well-formed message? Strict parse, era, envelope against headers, and a row for its method (law 1, law 2). */
import { methodRow } from '../methods.ts';
import type { House } from '../house.ts';
import type { MessageKind } from '../exchange.ts';
import type { Reading } from '../ports.ts';
import type { Crossing, Stage } from '../stage.ts';
import { deny, PASS, type Verdict } from '../verdict.ts';

export function read(house: House): Stage {
  return { name: 'read', pass: (crossing) => body(crossing, house) };
}

async function body(crossing: Crossing, house: House): Promise<Verdict> {
  const bytes = await crossing.arrival.body(house.settings.messageBytes);
  for (const done of crossing.whenRead.splice(0)) done();
  if (bytes === 'too_large')
    return deny('body_too_large', { detail: `more than ${house.settings.messageBytes} bytes` });
  if (bytes === 'gone') return deny('cancelled', { detail: 'the agent hung up while sending' });
  return take(house.reader.read(crossing.arrival, bytes), crossing);
}

function take(reading: Reading, crossing: Crossing): Verdict {
  if (!reading.ok) {
    crossing.unreadable = { requestId: reading.requestId, era: reading.era };
    return reading.verdict;
  }
  crossing.reading = reading;
  crossing.message = reading.message;
  crossing.kind = kindOf(reading);
  return PASS;
}

/** A notification about another exchange is its event; any other stands for itself. */
function kindOf(reading: Extract<Reading, { ok: true }>): MessageKind {
  if (reading.kind === 'closing') return 'closing';
  const row = methodRow('agent', reading.message.method);
  return row?.wire === 'notification' && row.target === 'exchange' ? 'event' : 'opening';
}

/** Outward: the upstream edge has parsed; a message that is none was handed over with its fault. */
export function readOutward(): Stage {
  return { name: 'read', pass: (crossing) => crossing.fault ?? PASS };
}
