import type { Ddl } from '../sql/database.ts';

/**
 * Triggers announce on a channel with the name of the schema, as `[tenant, topic, key]`. PostgreSQL delivers after
 * commit, in the order of commits, and only once what one transaction says twice.
 */
export const ddl: Ddl = {
  // Bytes order the keys as in SQLite; a locale's order would change with the operating system.
  text: 'text collate "C"',
  integer: 'bigint',
  end: '',
  announcing: [
    `create function announce_record() returns trigger language plpgsql as $$
       declare r record;
       begin
         if tg_op = 'DELETE' then r := old; else r := new; end if;
         perform pg_notify(tg_table_schema, json_build_array(r.tenant, 'records/' || r.collection, r.key)::text);
         return null;
       end $$`,
    `create function announce_definition() returns trigger language plpgsql as $$
       begin
         perform pg_notify(tg_table_schema, json_build_array(new.tenant, 'definitions', new.server)::text);
         return null;
       end $$`,
    `create trigger records_announce after insert or update or delete on records
       for each row execute function announce_record()`,
    `create trigger definitions_announce after insert on definitions
       for each row execute function announce_definition()`,
  ],
};
