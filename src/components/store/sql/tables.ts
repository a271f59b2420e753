/** The tables as Kysely knows them; `migrations.ts` creates them. Times are milliseconds since the epoch. */
import type { DefinitionKind } from '../store.ts';

export interface Tables {
  records: {
    tenant: string;
    collection: string;
    key: string;
    value: string;
    version: number;
    expires: number | null;
  };
  leases: { tenant: string; name: string; holder: string; fence: number; ends: number };
  uses: { tenant: string; name: string; ends: number };
  counters: { tenant: string; name: string; starts: number; ends: number; total: number };
  /** One row a server; writing it first makes concurrent sightings of one server queue up. */
  servers: { tenant: string; server: string; seen: number };
  definitions: {
    tenant: string;
    server: string;
    kind: DefinitionKind;
    name: string;
    ordinal: number;
    digest: string;
    body: string;
    first_seen: number;
    last_seen: number;
    replaced: number | null;
  };
  migrations: { id: number };
}
