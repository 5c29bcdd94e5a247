-- What the projection runtime keeps, and the few changes of schema that a rebuild needs, as functions: the process that
-- fills read models owns none of them.
set role annals_owner;

create table read.checkpoints (
  projection text primary key,
  build integer not null,
  position bigint not null default 0,
  epoch integer not null,
  generation bigint not null default 1,
  state text not null check (state in ('live', 'rebuilding', 'stopped')),
  error text,
  rebuild_position bigint,
  digest text,
  digest_position bigint,
  last_event_at timestamptz,
  updated_at timestamptz not null default now()
) with (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
comment on table read.checkpoints is 'how far each projection has read the log; its rows and this stand in one transaction';
comment on column read.checkpoints.generation is 'raised whenever rows are replaced by somebody else than the running projector, who then reads anew';
comment on column read.checkpoints.state is 'live: fed; rebuilding: not fed until its next build is ready; stopped: not fed, error says why';

create table read.parked (
  projection text not null,
  tenant_id uuid not null,
  group_key text not null,
  position bigint not null,
  event_type text not null,
  error text not null,
  attempts integer not null default 1,
  first_at timestamptz not null default now(),
  last_at timestamptz not null default now(),
  primary key (projection, tenant_id, group_key)
);
comment on table read.parked is 'groups of rows whose projection failed on an event: from that position on nothing is applied to them until a retry';
comment on column read.parked.group_key is 'the group of rows, or stream:<type>/<id> where the event could not be read at all';

-- Tables of read models by these names only; whatever else is named is refused.
create function read.model(schema_name text, table_name text) returns regclass
  language plpgsql stable set search_path = '' as $$
declare
  found oid;
begin
  select c.oid into found
    from pg_class c
   where c.relnamespace::regnamespace::text = schema_name and c.relname = table_name and c.relkind = 'r'
     and schema_name in ('read', 'audit') and table_name not in ('checkpoints', 'parked');
  if found is null then
    raise exception 'there is no read model %.%', schema_name, table_name using errcode = 'undefined_table';
  end if;
  return found::regclass;
end
$$;

-- An empty table beside the present one, without indexes and row security, so that COPY fills it; nobody can read it yet.
create function read.next_begin(schema_name text, table_name text) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  perform read.model(schema_name, table_name);
  execute format('drop table if exists %I.%I', schema_name, table_name || '__next');
  execute format('create table %I.%I (like %I.%I including defaults including constraints including storage)',
    schema_name, table_name || '__next', schema_name, table_name);
  execute format('comment on table %I.%I is %L', schema_name, table_name || '__next', 'the next build of ' || table_name);
  execute format('grant select, insert, update, delete on %I.%I to projectors', schema_name, table_name || '__next');
end
$$;

-- The indexes of the present table, on the next one.
create function read.next_index(schema_name text, table_name text) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  next text := format('%I.%I', schema_name, table_name || '__next');
  found record;
begin
  for found in
    select i.relname, x.indisprimary, pg_get_indexdef(x.indexrelid) as definition, row_number() over (order by i.relname) as n
      from pg_index x join pg_class i on i.oid = x.indexrelid
     where x.indrelid = read.model(schema_name, table_name)
  loop
    execute regexp_replace(found.definition, ' INDEX \S+ ON \S+ USING ',
      format(' INDEX %I ON %s USING ', 'next_' || found.n || '_' || left(table_name, 40), next));
    if found.indisprimary then
      execute format('alter table %s add constraint %I primary key using index %I', next,
        'next_pkey_' || left(table_name, 40), 'next_' || found.n || '_' || left(table_name, 40));
    end if;
  end loop;
  execute format('analyze %s', next);
end
$$;

-- Puts the next table in the place of the present one, with its grants, policies, comments, index names and the views on it.
create function read.next_swap(schema_name text, table_name text) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  old regclass := read.model(schema_name, table_name);
  next regclass := read.model(schema_name, table_name || '__next');
  policy record;
  privilege record;
  named record;
  view record;
  views text[] := '{}';
  names text[];
  primaries boolean[];
  remark text := obj_description(old, 'pg_class');
begin
  execute format('lock table %s in access exclusive mode', old);
  for view in
    select distinct v.oid::regclass::text as name, pg_get_viewdef(v.oid) as definition
      from pg_depend d join pg_rewrite r on r.oid = d.objid join pg_class v on v.oid = r.ev_class
     where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = old and v.relkind = 'v'
  loop
    views := views || format('create or replace view %s with (security_invoker = true) as %s', view.name, view.definition);
  end loop;

  for named in
    select a.attname, col_description(old, a.attnum) as remark
      from pg_attribute a where a.attrelid = old and a.attnum > 0 and not a.attisdropped
  loop
    execute format('comment on column %s.%I is %L', next, named.attname, named.remark);
  end loop;
  execute format('revoke all on %s from projectors', next);
  for privilege in
    select g.grantee::regrole as grantee, string_agg(g.privilege_type, ', ') as kinds
      from pg_class c, aclexplode(c.relacl) g
     where c.oid = old and g.grantee <> 0 and g.grantee <> c.relowner group by g.grantee
  loop
    execute format('grant %s on %s to %s', privilege.kinds, next, privilege.grantee);
  end loop;
  for policy in
    select p.polname, p.polcmd, pg_get_expr(p.polqual, p.polrelid) as visible, pg_get_expr(p.polwithcheck, p.polrelid) as checked,
           (select string_agg(case r when 0 then 'public' else r::regrole::text end, ', ') from unnest(p.polroles) r) as roles
      from pg_policy p where p.polrelid = old
  loop
    execute format('create policy %I on %s for %s to %s', policy.polname, next,
        case policy.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
        policy.roles)
      || coalesce(' using (' || policy.visible || ')', '')
      || coalesce(' with check (' || policy.checked || ')', '');
  end loop;
  execute format('alter table %s enable row level security', next);
  execute format('alter table %s force row level security', next);

  -- In the order in which read.next_index numbered them.
  select array_agg(i.relname::text order by i.relname), array_agg(x.indisprimary order by i.relname) into names, primaries
    from pg_index x join pg_class i on i.oid = x.indexrelid where x.indrelid = old;
  execute format('alter table %s rename to %I', old, table_name || '__old');
  execute format('alter table %s rename to %I', next, table_name);
  for n in 1 .. cardinality(views) loop
    execute views[n];
  end loop;
  execute format('drop table %I.%I', schema_name, table_name || '__old');
  for n in 1 .. coalesce(cardinality(names), 0) loop
    execute format('alter index %I.%I rename to %I', schema_name,
      'next_' || case when primaries[n] then 'pkey' else n::text end || '_' || left(table_name, 40), names[n]);
  end loop;
  execute format('comment on table %I.%I is %L', schema_name, table_name, remark);
end
$$;

create function read.next_drop(schema_name text, table_name text) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  perform read.model(schema_name, table_name);
  execute format('drop table if exists %I.%I', schema_name, table_name || '__next');
end
$$;

-- The row security and the grants that every read model has; for migrations.
create function read.protect(model regclass) returns void
  language plpgsql set search_path = '' as $$
begin
  execute format('alter table %s enable row level security', model);
  execute format('alter table %s force row level security', model);
  execute format('create policy whole_model on %s to projectors, auditor using (true) with check (true)', model);
  execute format('create policy tenant_isolation on %s for select to query_api, workers
    using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', model);
  execute format('grant select, insert, update, delete on %s to projectors', model);
  execute format('grant select on %s to query_api, workers, auditor', model);
end
$$;

revoke all on all functions in schema read from public;
grant execute on function read.next_begin, read.next_index, read.next_swap, read.next_drop to projectors;
grant select, insert, update, delete on read.checkpoints to projectors;
grant select on read.checkpoints to query_api, workers, relay, auditor;
grant usage on schema read to relay;

select read.protect('read.parked');

reset role;
