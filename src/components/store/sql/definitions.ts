import { sql, type CompiledQuery } from 'kysely';
import type { Clock } from '../../../lib/clock.ts';
import {
  LIMITS,
  StoreError,
  type Definition,
  type Definitions,
  type ShownDefinition,
  type Sighting,
} from '../store.ts';
import { DEFINITIONS_TOPIC, type Database } from './database.ts';
import { integer, keyPart, storable } from './names.ts';
import type { Tables } from './tables.ts';
import type { Watchers } from './watchers.ts';

/** How many definitions one statement carries; four parameters each, and SQLite takes 32,766. */
const BLOCK = 2_000;

interface Arrival {
  readonly kind: string;
  readonly name: string;
  readonly ordinal: number;
}

export function definitionsIn(db: Database, clock: Clock, watchers: Watchers): Definitions {
  const versions = (tenant: string, server: string) =>
    db.sql
      .selectFrom('definitions')
      .selectAll()
      .where('tenant', '=', keyPart('tenant', tenant))
      .where('server', '=', keyPart('server', server));

  return {
    see: async (tenant, server, shown) => {
      const home = { tenant: keyPart('tenant', tenant), server: keyPart('server', server) };
      const addresses = shown.map(checkedAddress);
      if (new Set(addresses).size < addresses.length) {
        throw new StoreError('STORE_BAD_NAME', 'one kind and name was shown twice');
      }
      const results = await db.write(...sightStatements(db, clock.now(), home, shown));
      const arrivals = new Map(results.flat().map((row) => [addressOf(row), row.ordinal]));
      return addresses.map((address) => sighting(arrivals.get(address)));
    },

    current: async (tenant, server, kind, name) => {
      const query = versions(tenant, server).where('kind', '=', kind).where('name', '=', name);
      const [row] = await db.read(query.where('replaced', 'is', null).compile());
      return row && definitionOf(row);
    },

    all: async (tenant, server) => {
      const query = versions(tenant, server).where('replaced', 'is', null).orderBy('kind').orderBy('name');
      return (await db.read(query.compile())).map(definitionOf);
    },

    history: async (tenant, server, kind, name, limit) => {
      const query = versions(tenant, server).where('kind', '=', kind).where('name', '=', name);
      const rows = await db.read(query.orderBy('ordinal', 'desc').limit(integer('limit', limit)).compile());
      return rows.map(definitionOf);
    },

    watch: (tenant, onChange) => watchers.watch(tenant, DEFINITIONS_TOPIC, onChange),
  };
}

/**
 * Four steps that together cannot lose a version: queue up behind whoever sees the same server now; move `last_seen`
 * of what is known; close what shows another digest; add what has no current version (any more).
 */
function sightStatements(
  db: Database,
  now: number,
  home: { readonly tenant: string; readonly server: string },
  shown: readonly ShownDefinition[],
): CompiledQuery<Arrival>[] {
  const { tenant, server } = home;
  const at = sql`cast(${now} as bigint)`;
  const queue = sql<Arrival>`
    insert into servers (tenant, server, seen) values (${tenant}, ${server}, ${at})
    on conflict (tenant, server) do update set seen = excluded.seen`;

  const steps = blocks(shown).flatMap((block) => {
    const digests = sql.join(block.map(({ kind, name, digest }) => sql`(${kind}, ${name}, ${digest})`));
    const bodies = sql.join(block.map(({ kind, name, digest, body }) => sql`(${kind}, ${name}, ${digest}, ${body})`));
    const current = sql`definitions.tenant = ${tenant} and definitions.server = ${server}
      and definitions.kind = shown.kind and definitions.name = shown.name and definitions.replaced is null`;
    return [
      sql<Arrival>`with shown (kind, name, digest) as (values ${digests})
        update definitions set last_seen = ${at} from shown
        where ${current} and definitions.digest = shown.digest`,
      sql<Arrival>`with shown (kind, name, digest) as (values ${digests})
        update definitions set replaced = ${at} from shown
        where ${current} and definitions.digest <> shown.digest`,
      sql<Arrival>`with shown (kind, name, digest, body) as (values ${bodies})
        insert into definitions (tenant, server, kind, name, ordinal, digest, body, first_seen, last_seen)
        select ${tenant}, ${server}, shown.kind, shown.name, 1 + coalesce((
          select max(earlier.ordinal) from definitions as earlier where earlier.tenant = ${tenant}
            and earlier.server = ${server} and earlier.kind = shown.kind and earlier.name = shown.name
        ), 0), shown.digest, shown.body, ${at}, ${at}
        from shown where not exists (select 1 from definitions where ${current})
        returning kind, name, ordinal`,
    ];
  });
  return [queue, ...steps].map((step) => step.compile(db.sql));
}

function blocks(shown: readonly ShownDefinition[]): (readonly ShownDefinition[])[] {
  const count = Math.ceil(shown.length / BLOCK);
  return Array.from({ length: count }, (_, index) => shown.slice(index * BLOCK, (index + 1) * BLOCK));
}

function checkedAddress(shown: ShownDefinition): string {
  storable('definition', shown.body, LIMITS.value);
  keyPart('digest', shown.digest);
  keyPart('definition', shown.name, LIMITS.definition);
  return addressOf(shown);
}

const addressOf = ({ kind, name }: { readonly kind: string; readonly name: string }): string => `${kind}\0${name}`;

function sighting(ordinal: number | undefined): Sighting {
  if (ordinal === undefined) return 'known';
  return ordinal === 1 ? 'new' : 'changed';
}

function definitionOf(row: Tables['definitions']): Definition {
  const { server, kind, name, ordinal, digest, body } = row;
  const definition = { server, kind, name, ordinal, digest, body, firstSeen: row.first_seen, lastSeen: row.last_seen };
  return row.replaced === null ? definition : { ...definition, replaced: row.replaced };
}
