/**
 * Records as JSON Lines in one file, mode 0600. `standard`: handed to the operating system before the call goes on, fsync
 * within 10 ms. `strict`: fsync first, many records sharing one. Open attempts of a process that died are closed at start.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { defineComponent } from '../../../gateway/component.ts';
import type { Audit } from '../audit.ts';
import type { AuditRecord } from '../record.ts';
import { Journal } from './journal.ts';
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

type Bodies = z.infer<typeof config>['bodies'];

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
    const journal = new Journal(file, log);
    const place = occupy(file);
    if (place.alone) for (const record of closeOpenAttempts(file, clock, gateway)) journal.write(line(record, bodies));
    await journal.synced();
    const keep: Audit['keep'] = (record) => {
      journal.write(line(record, bodies));
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

/** What tells attempts from outcomes comes first in every line: a restart reads the heads of lines only. */
function line(record: AuditRecord, bodies: Bodies): Buffer {
  const { v, at, id, type } = record;
  const { exchange, run } = record as { exchange?: string; run?: string };
  const { name, version, config } = record.gateway;
  const gateway = { name, version, config };
  const ordered = Object.assign({ v, at, id, type, exchange, run, gateway }, record, { gateway });
  return Buffer.from(`${JSON.stringify(ordered, bodies === 'full' ? undefined : withoutBody)}\n`);
}

function withoutBody(key: string, value: unknown): unknown {
  if (key !== 'params' && key !== 'result' && key !== 'body') return value;
  if (typeof value !== 'object' || value === null || !('sha256' in value)) return value;
  const { sha256, bytes } = value as { sha256: string; bytes?: number };
  return { sha256, bytes };
}
