/** The gateway's key ring as one record of the store: its version is what two replicas that start at once agree by. */
import { z } from 'zod';
import type { KeyRecord, KeyStore } from '../../gateway/keyring.ts';
import type { Store } from './store.ts';

const COLLECTION = 'keys';
const RING = 'ring';

const ring = z.array(
  z.strictObject({
    id: z.string(),
    secret: z.string(),
    created: z.number(),
    starts: z.number(),
    ends: z.number(),
  }),
);

/** Keys live in the database itself; its files and accounts are to be guarded as secrets are. */
export function keysIn(store: Store, tenant: string): KeyStore & { watch(onChange: () => void): () => void } {
  return {
    load: async () => read((await store.records.get(tenant, COLLECTION, RING))?.value),

    add: async (record, newest) => {
      const kept = await store.records.get(tenant, COLLECTION, RING);
      const keys = read(kept?.value);
      if (keys.at(-1)?.id !== newest) return false;
      const value = JSON.stringify([...keys.filter((key) => record.created < key.ends), record]);
      const written = await store.records.put(tenant, COLLECTION, RING, { value, expected: kept?.version ?? 'absent' });
      return written !== 'conflict';
    },

    /** Tells when another replica may have added a key: refresh then. */
    watch: (onChange) => store.records.watch(tenant, COLLECTION, () => onChange()),
  };
}

const read = (value: string | undefined): readonly KeyRecord[] =>
  value === undefined ? [] : ring.parse(JSON.parse(value));
