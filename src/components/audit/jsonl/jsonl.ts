/**
 * Records as JSON Lines in one file, mode 0600. `standard`: handed to the operating system before the call goes on, fsync
 * within 10 ms. `strict`: fsync first, many records sharing one. Open attempts of a process that died are closed at start.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { defineComponent } from '../../../gateway/component.ts';
import { NOTICED_WITHIN, type Audit } from '../audit.ts';
import { Journal } from './journal.ts';
import { Lines } from './line.ts';
import { closeOpenAttempts } from './recover.ts';

const config = z.strictObject({
  dir: z.string().optional().describe('Folder of audit.jsonl. Default: `audit` in the data directory.'),
  durability: z
    .enum(['standard', 'strict'])
    .default('standard')
    .describe('strict: every record is on disk before the call goes on.'),
  bodies: z
    .enum(['full', 'digest'])
    .default('full')
    .describe('Whether arguments and results are kept, or only their SHA-256.'),
});

/** Files that a part of this process writes. A reload opens one again while its attempts are still alive. */
const inUse = new Map<string, number>();

export const jsonl = defineComponent({
  kind: 'audit',
  use: 'jsonl',
  config,
  create: async ({ dir, durability, bodies }, { data, log, clock, gateway }): Promise<Audit> => {
    const folder = resolve(dir ?? join(data, 'audit'));
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, 'audit.jsonl');
    const journal = new Journal(file, log, durability === 'strict' ? 0 : NOTICED_WITHIN);
    const lines = new Lines(bodies);
    const place = occupy(file);
    if (place.alone) for (const record of closeOpenAttempts(file, clock, gateway)) journal.write(lines.line(record));
    await journal.synced();
    const keep: Audit['keep'] = (record) => {
      journal.write(lines.line(record));
      return durability === 'strict' ? journal.synced() : journal.syncSoon();
    };
    let closed: Promise<void> | undefined;
    const close = (): Promise<void> => (closed ??= journal.close().finally(place.leave));
    return { keep, health: () => journal.health(), close };
  },
});

function occupy(file: string): { alone: boolean; leave: () => void } {
  const others = inUse.get(file) ?? 0;
  inUse.set(file, others + 1);
  return { alone: others === 0, leave: () => inUse.set(file, (inUse.get(file) ?? 1) - 1) };
}
