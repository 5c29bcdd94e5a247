-- The indexes of a next build are made by several sessions, each of which waits for the disk in between, and its key at the end,
-- for which nobody else may be at the table. read.next_index, which makes all of them one by one, is left to processes of before.
set role annals_owner;

create function read.next_share(schema_name text, table_name text, share integer, shares integer) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  found record;
begin
  for found in
    select x.indisprimary, pg_get_indexdef(x.indexrelid) as definition, row_number() over (order by i.relname) as n
      from pg_index x join pg_class i on i.oid = x.indexrelid
     where x.indrelid = read.model(schema_name, table_name)
  loop
    continue when found.indisprimary or found.n % shares <> share;
    execute regexp_replace(found.definition, ' INDEX \S+ ON (ONLY )?\S+ USING ',
      format(' INDEX %I ON %I.%I USING ', 'next_' || found.n || '_' || left(table_name, 40), schema_name, table_name || '__next'));
  end loop;
end
$$;

-- In a partitioned table the key takes in what it is partitioned by.
create function read.next_key(schema_name text, table_name text) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  next text := format('%I.%I', schema_name, table_name || '__next');
  axis text := read.partitioned_by(schema_name, table_name);
  columns text[];
begin
  select array_agg(a.attname::text order by k.ord) into columns
    from pg_index x cross join unnest(x.indkey) with ordinality k (number, ord)
    join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.number
   where x.indrelid = read.model(schema_name, table_name) and x.indisprimary;
  if axis is not null then
    columns := array_remove(columns, axis) || axis;
  end if;
  execute format('alter table %s add constraint %I primary key (%s)', next, 'next_pkey_' || left(table_name, 40),
    (select string_agg(quote_ident(c), ', ') from unnest(columns) c));
  execute format('analyze %s', next);
end
$$;

revoke all on function read.next_share, read.next_key from public;
grant execute on function read.next_share, read.next_key to projectors;

reset role;
