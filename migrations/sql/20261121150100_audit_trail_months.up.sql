-- The trail in partitions by month. A rebuild makes the next table partitioned and puts it in the place of the present one, so
-- that a trail with rows goes on to be read, and fed, until the projection's next build is ready; an empty one is exchanged here.
set role annals_owner;

-- The column by whose month a read model is partitioned; nothing where it is not.
create function read.partitioned_by(schema_name text, table_name text) returns text
  language sql immutable set search_path = ''
  as $$ select case when schema_name = 'audit' and table_name in ('trail', 'trail__next') then 'at' end $$;

create or replace function read.model(schema_name text, table_name text) returns regclass
  language plpgsql stable set search_path = '' as $$
declare
  found oid;
begin
  select c.oid into found
    from pg_class c
   where c.relnamespace::regnamespace::text = schema_name and c.relname = table_name and c.relkind in ('r', 'p')
     and not c.relispartition and schema_name in ('read', 'audit') and table_name not in ('checkpoints', 'parked');
  if found is null then
    raise exception 'there is no read model %.%', schema_name, table_name using errcode = 'undefined_table';
  end if;
  return found::regclass;
end
$$;

-- The partition for the month of a moment, if it is not there yet. Nobody has rights on a partition: rows are reached through
-- the whole, under its policies. Made beside and attached, so that readers need not wait.
create function read.month(schema_name text, table_name text, moment timestamptz) returns void
  language plpgsql set search_path = '' as $$
declare
  month timestamp := date_trunc('month', moment at time zone 'UTC');
  part text := format('%I.%I', schema_name, table_name || to_char(month, '"_"YYYYMM'));
begin
  if to_regclass(part) is not null then
    return;
  end if;
  execute format('create table %s (like %I.%I including defaults including constraints including storage)', part, schema_name, table_name);
  execute format('alter table %s enable row level security', part);
  execute format('alter table %s force row level security', part);
  execute format('alter table %I.%I attach partition %s for values from (%L) to (%L)', schema_name, table_name, part,
    month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
end
$$;

-- The partitions for these moments and for the two months after each; also of the next build, if there is one.
create function read.months_ahead(schema_name text, table_name text, moments timestamptz[]) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  whole record;
  moment timestamptz;
begin
  if read.partitioned_by(schema_name, table_name) is null then
    raise exception '%.% has no months', schema_name, table_name using errcode = 'undefined_table';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('annals months ' || table_name, 0));
  for whole in
    select c.relname::text as name from pg_class c
     where c.relnamespace::regnamespace::text = schema_name and c.relname in (table_name, table_name || '__next') and c.relkind = 'p'
  loop
    foreach moment in array moments loop
      for ahead in 0 .. 2 loop
        perform read.month(schema_name, whole.name, (moment at time zone 'UTC' + make_interval(months => ahead)) at time zone 'UTC');
      end loop;
    end loop;
  end loop;
end
$$;

alter function read.next_begin(text, text) rename to next_begin_plain;
alter function read.next_index(text, text) rename to next_index_plain;
alter function read.next_swap(text, text) rename to next_swap_plain;
revoke execute on function read.next_begin_plain, read.next_index_plain, read.next_swap_plain from projectors;

-- As before; a partitioned one with the months of the whole log, because a COPY does not see partitions that come later.
create function read.next_begin(schema_name text, table_name text) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  next text := format('%I.%I', schema_name, table_name || '__next');
  axis text := read.partitioned_by(schema_name, table_name);
  month timestamptz;
begin
  if axis is null then
    perform read.next_begin_plain(schema_name, table_name);
    return;
  end if;
  perform read.model(schema_name, table_name);
  execute format('drop table if exists %s', next);
  execute format('create table %s (like %I.%I including defaults including constraints including storage) partition by range (%I)',
    next, schema_name, table_name, axis);
  execute format('comment on table %s is %L', next, 'the next build of ' || table_name);
  execute format('grant select, insert, update, delete on %s to projectors', next);
  for month in
    select m at time zone 'UTC' from generate_series(
      date_trunc('month', coalesce((select e.recorded_at from log.events e order by e.position limit 1), now()) at time zone 'UTC'),
      now() at time zone 'UTC' + interval '2 months', interval '1 month') m
  loop
    perform read.month(schema_name, table_name || '__next', month);
  end loop;
end
$$;

-- As before; in a partitioned one the key takes in what it is partitioned by, and each partition gets the indexes of the whole.
create function read.next_index(schema_name text, table_name text) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  next text := format('%I.%I', schema_name, table_name || '__next');
  axis text := read.partitioned_by(schema_name, table_name);
  found record;
begin
  if axis is null then
    perform read.next_index_plain(schema_name, table_name);
    return;
  end if;
  for found in
    select x.indisprimary, pg_get_indexdef(x.indexrelid) as definition, row_number() over (order by i.relname) as n,
           (select array_agg(a.attname::text order by k.ord) from unnest(x.indkey) with ordinality k (number, ord)
              join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.number) as columns
      from pg_index x join pg_class i on i.oid = x.indexrelid
     where x.indrelid = read.model(schema_name, table_name)
  loop
    if found.indisprimary then
      execute format('alter table %s add constraint %I primary key (%s)', next, 'next_pkey_' || left(table_name, 40),
        (select string_agg(quote_ident(c), ', ') from unnest(array_remove(found.columns, axis) || axis) c));
    else
      execute regexp_replace(found.definition, ' INDEX \S+ ON (ONLY )?\S+ USING ',
        format(' INDEX %I ON %s USING ', 'next_' || found.n || '_' || left(table_name, 40), next));
    end if;
  end loop;
  execute format('analyze %s', next);
end
$$;

create function read.next_swap(schema_name text, table_name text) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  part record;
begin
  perform read.next_swap_plain(schema_name, table_name);
  if read.partitioned_by(schema_name, table_name) is null then
    return;
  end if;
  for part in
    select c.oid::regclass as whole, replace(c.relname, '__next_', '_') as name
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = read.model(schema_name, table_name) and c.relname like '%\_\_next\_%'
  loop
    execute format('alter table %s rename to %I', part.whole, part.name);
  end loop;
end
$$;

revoke all on function read.partitioned_by, read.month, read.months_ahead, read.next_begin, read.next_index, read.next_swap from public;
grant execute on function read.months_ahead, read.next_begin, read.next_index, read.next_swap to projectors;

create index trail_correlation_id_idx on audit.trail (tenant_id, correlation_id, tenant_seq);

do $$
begin
  if not exists (select from audit.trail) then
    perform read.next_begin('audit', 'trail');
    perform read.next_index('audit', 'trail');
    perform read.next_swap('audit', 'trail');
  end if;
end
$$;

reset role;
