/** Records in memory, for tests of what keeps them. */
import type { Records, StoredRecord } from './store.ts';

/** One store of all tenants and replicas. */
export function memoryRecords(): Records {
  const kept = new Map<string, StoredRecord>();
  const watchers = new Map<string, Set<(key: string | undefined) => void>>();
  const at = (...parts: readonly string[]) => JSON.stringify(parts);
  const tell = (tenant: string, collection: string, key: string) => {
    for (const watcher of watchers.get(at(tenant, collection)) ?? []) watcher(key);
  };
  let version = 0;
  return {
    get: async (tenant, collection, key) => kept.get(at(tenant, collection, key)),
    put: async (tenant, collection, key, { value, expected }) => {
      const found = kept.get(at(tenant, collection, key));
      if (expected !== 'any' && (found?.version ?? 'absent') !== expected) return 'conflict';
      version += 1;
      kept.set(at(tenant, collection, key), { key, value, version });
      tell(tenant, collection, key);
      return version;
    },
    remove: async (tenant, collection, key) => {
      const removed = kept.delete(at(tenant, collection, key));
      tell(tenant, collection, key);
      return removed;
    },
    list: async (tenant, collection) => ({
      records: [...kept]
        .filter(([name]) => name.startsWith(at(tenant, collection).slice(0, -1) + ','))
        .map(([, one]) => one),
    }),
    watch: (tenant, collection, onChange) => {
      const all = watchers.get(at(tenant, collection)) ?? new Set();
      watchers.set(at(tenant, collection), all.add(onChange));
      return () => void all.delete(onChange);
    },
  };
}
