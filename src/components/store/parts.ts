/** The two families of stores as parts of the box. A store is created before the key ring, which is kept in it. */
import { join } from 'node:path';
import { z } from 'zod';
import { defineComponent, type Part } from '../../gateway/component.ts';
import { embedded } from './embedded/embedded.ts';
import { postgres } from './postgres/postgres.ts';
import type { Store } from './store.ts';

/** A store's own `health` asks the database, so it is no `Part.health`; readiness asks it apart. */
export interface StorePart extends Part {
  readonly store: Store;
}

export const embeddedStore = defineComponent({
  kind: 'store',
  use: 'embedded',
  config: z.strictObject({
    dir: z.string().min(1).optional().describe('Folder of the database. Default: `store` in the data directory.'),
  }),
  create: async ({ dir }, { data, clock }): Promise<StorePart> => {
    const store = await embedded.open({ dir: dir ?? join(data, 'store') }, { clock });
    return { store, close: () => store.close() };
  },
});

export const postgresStore = defineComponent({
  kind: 'store',
  use: 'postgres',
  config: postgres.config,
  create: async (config, { clock }): Promise<StorePart> => {
    const store = await postgres.open(config, { clock });
    return { store, close: () => store.close() };
  },
});
