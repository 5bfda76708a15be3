/**
 * What the adapter keeps in the database: its tables, and the procedures that commit and read. `schema.ts` puts them there.
 *
 * - **A commit takes the lock of its namespace first, and only then looks**, each statement with a snapshot of its own. A single statement would
 *   judge by the snapshot from before it waited for that lock, and would grant twice.
 * - **A read waits for the commit that is under way.** Otherwise it could tell a store time past a change's `notAfter`, not see the change, and still
 *   be followed by it, once its flush is done: whoever settles an unknown outcome would be deceived.
 * - That lock is an advisory one of the transaction, on the table `space` and the namespace's number: it writes nothing, so that a commit which is
 *   refused costs no flush, and it ends with the transaction, so that a pooler of transactions is harmless.
 * - Sets, not loops: the changes of one commit are independent, so all expectations are judged at once, and all is written at once.
 * - Plans are made once for each session, and never scan a whole table, however few rows it had when they were made.
 * - Snapshots for each statement need READ COMMITTED. Where a session begins its transactions otherwise, the procedures end the one they are called
 *   in, which has done nothing, and begin another.
 */

/** Of what is below. A change to it is a new version, with a way there from the one before. */
export const version = 1;

/** SQLSTATEs of our own. */
export const namespaceIsGone = "EL001";
export const revisionsAreUsedUp = "EL002";

const tables = (schema: string): string => `
create table ${schema}.version (version int not null);
insert into ${schema}.version values (${version});

create table ${schema}.space (
  id int generated always as identity primary key,
  name text collate "C" not null unique,
  revision int8 not null default 0,
  time_us int8 not null default 0
) with (fillfactor = 10);

create table ${schema}.entry (
  space int not null,
  key text collate "C" not null,
  revision int8 not null,
  value text not null,
  primary key (space, key)
) with (
  fillfactor = 70, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_cost_delay = 0
);`;

const settings = `
set search_path = pg_catalog, pg_temp
set lock_timeout = '4s'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set jit = off`;

const lockOf = (schema: string): string => `'${schema}.space'::regclass::oid::int4, home`;

const now = `(extract(epoch from clock_timestamp()) * 1000000)::int8`;

/** A standby may lag behind: not even a refusal of its counts. */
const findHome = (schema: string): string => `
  if pg_is_in_recovery() then
    raise exception using errcode = 'read_only_sql_transaction', message = 'the server is a standby';
  end if;
  select s.id into home from ${schema}.space s where s.name = namespace;
  if home is null then
    raise exception using errcode = '${namespaceIsGone}', message = format('there is no namespace "%s" any more', namespace);
  end if;`;

const commitArguments = `
  namespace text, channel text, floor_us int8, not_after int8[],
  expect_change int4[], expect_key text[], expect_revision int8[],
  range_change int4[], range_from text[], range_past bool[], range_to text[], range_limit int8[], range_since int8[],
  put_change int4[], put_key text[], put_value text[],
  remove_change int4[], remove_key text[],
  announce_change int4[], announce_text text[]`;

/** The entry of one key. Its limit keeps the planner from going through all entries instead of looking each key up. */
const entryOf = (schema: string): string => `
  select e.revision, e.value from ${schema}.entry e where e.space = home and e.key = x.key limit 1`;

/** The entries of one range: of this namespace, from its first key, to where the next prefix or the next namespace begins. */
const entriesOf = (schema: string): string => `
  from ${schema}.entry e
  where (e.space, e.key) >= (home, r.first)
    and (e.space, e.key) < (case when r.past_last is null then home + 1 else home end, coalesce(r.past_last, ''))
    and not (r.is_past and e.key = r.first)
  order by e.space, e.key
  limit r.most`;

const apply = (schema: string): string => `
create function ${schema}.apply(${commitArguments},
  out revision int8, out time_us int8, out refused int4[], out standing text
) language plpgsql volatile ${settings} as $body$
declare
  home int4;
  last_revision int8;
  last_time int8;
  more int4[];
  puts int8;
  removals int8;
  announced text;
begin
${findHome(schema)}
  perform pg_advisory_xact_lock(${lockOf(schema)});
  select s.revision, s.time_us into last_revision, last_time from ${schema}.space s where s.id = home;
  time_us := greatest(${now}, last_time, floor_us);

  select coalesce(array_agg(distinct bad.change), '{}') into refused from (
    select n.change from unnest(not_after) with ordinality n(moment, change) where time_us > n.moment
    union all
    select x.change
    from unnest(expect_change, expect_key, expect_revision) x(change, key, revision)
    where x.revision <> coalesce((select e.revision from ${schema}.entry e where e.space = home and e.key = x.key), 0)
  ) bad;
  if cardinality(range_change) > 0 then
    select coalesce(array_agg(r.change), '{}') into more
    from unnest(range_change, range_from, range_past, range_to, range_limit, range_since)
      r(change, first, is_past, past_last, most, since)
    where last_revision > r.since
      and exists (select from (select e.revision ${entriesOf(schema)}) e where e.revision > r.since);
    refused := refused || more;
  end if;

  if cardinality(refused) > 0 then
    select '[' || string_agg('[' || x.place || ',' || e.revision || ',' || e.value || ']', ',') || ']' into standing
    from unnest(expect_change, expect_key) with ordinality x(change, key, place)
    cross join lateral (${entryOf(schema)}) e
    where x.change = any(refused);
    if not exists (select from generate_series(1, cardinality(not_after)) change where change <> all(refused)) then
      return;
    end if;
  elsif cardinality(not_after) = 0 then
    return;
  end if;

  revision := greatest(last_revision + 1, time_us);
  if revision > 9007199254740991 then
    raise exception using errcode = '${revisionsAreUsedUp}',
      message = format('the next revision would be %s, beyond the largest safe integer', revision);
  end if;
  insert into ${schema}.entry as e (space, key, revision, value)
    select home, p.key, apply.revision, p.value
    from unnest(put_change, put_key, put_value) p(change, key, value)
    where p.change <> all(refused)
    on conflict on constraint entry_pkey do update set revision = excluded.revision, value = excluded.value;
  get diagnostics puts = row_count;
  delete from ${schema}.entry e where e.ctid = any(array(
    select (select d.ctid from ${schema}.entry d where d.space = home and d.key = r.key)
    from unnest(remove_change, remove_key) r(change, key)
    where r.change <> all(refused)
  ));
  get diagnostics removals = row_count;
  update ${schema}.space s set revision = apply.revision, time_us = apply.time_us where s.id = home;
  if puts + removals = 0 then
    -- Nothing that could be lost: after a crash of the server, the next revision is a later time.
    perform set_config('synchronous_commit', 'off', true);
  elsif current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'on', true);
  end if;

  if cardinality(announce_change) > 0 then
    -- A notification has less than 8000 bytes.
    perform pg_notify(channel, apply.revision || E'\\n' || string_agg(chunk.hint, E'\\n')) from (
      select a.hint, sum(octet_length(a.hint) + 1) over (order by a.place) / 5000 as number
      from unnest(announce_change, announce_text) with ordinality a(change, hint, place)
      where a.change <> all(refused) and octet_length(a.hint) < 2900
    ) chunk group by chunk.number;
  end if;
end $body$;`;

const commit = (schema: string): string => `
create procedure ${schema}.commit(${commitArguments},
  inout revision int8, inout time_us int8, inout refused int4[], inout standing text
) language plpgsql as $body$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    commit;
    set transaction isolation level read committed;
  end if;
  select a.* into revision, time_us, refused, standing from ${schema}.apply(
    namespace, channel, floor_us, not_after, expect_change, expect_key, expect_revision,
    range_change, range_from, range_past, range_to, range_limit, range_since,
    put_change, put_key, put_value, remove_change, remove_key, announce_change, announce_text) a;
end $body$;`;

const readArguments = `
  namespace text, floor_us int8, keys text[],
  range_from text[], range_past bool[], range_to text[], range_limit int8[]`;

const look = (schema: string): string => `
create function ${schema}.look(${readArguments},
  out revision int8, out time_us int8, out entries text, out ranges text
) language plpgsql volatile ${settings} as $body$
declare
  home int4;
begin
${findHome(schema)}
  -- From here to the end of the transaction nobody commits, so that all statements see one state.
  perform pg_advisory_xact_lock_shared(${lockOf(schema)});
  select s.revision, greatest(${now}, s.time_us, floor_us) into revision, time_us from ${schema}.space s where s.id = home;
  if cardinality(keys) > 0 then
    select '[' || string_agg('[' || x.place || ',' || e.revision || ',' || e.value || ']', ',') || ']' into entries
    from unnest(keys) with ordinality x(key, place)
    cross join lateral (${entryOf(schema)}) e;
  end if;
  if cardinality(range_from) > 0 then
    select '[' || string_agg('[' || r.place || ',' || to_json(e.key) || ',' || e.revision || ',' || e.value || ']', ','
      order by r.place, e.key) || ']' into ranges
    from unnest(range_from, range_past, range_to, range_limit) with ordinality r(first, is_past, past_last, most, place)
    cross join lateral (select e.key, e.revision, e.value ${entriesOf(schema)}) e;
  end if;
end $body$;`;

const read = (schema: string): string => `
create procedure ${schema}.read(${readArguments},
  inout revision int8, inout time_us int8, inout entries text, inout ranges text
) language plpgsql as $body$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    commit;
    set transaction isolation level read committed;
  end if;
  select l.* into revision, time_us, entries, ranges
  from ${schema}.look(namespace, floor_us, keys, range_from, range_past, range_to, range_limit) l;
end $body$;`;

/** All of it, in an empty schema. `schema`: a quoted identifier. */
export function definitions(schema: string): string {
  return [tables, apply, commit, look, read].map((part) => part(schema)).join("\n");
}
