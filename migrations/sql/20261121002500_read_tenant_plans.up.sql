-- Row security that plans well before the organisation is known: in a sub-select the setting is a parameter, and the
-- planner assumes an organisation of middling size. As a bare expression it was evaluated while planning, found empty, and
-- every plan was made for no rows at all: a lookup by key then read the organisation's whole index.
do $$
declare
  found record;
begin
  for found in
    select schemaname, tablename, with_check is not null as checked
      from pg_policies where policyname = 'tenant_isolation' and schemaname in ('log', 'read', 'audit')
  loop
    execute format('alter policy tenant_isolation on %I.%I
      using (tenant_id = (select nullif(current_setting(''app.tenant'', true), '''')::uuid))', found.schemaname, found.tablename);
    if found.checked then
      execute format('alter policy tenant_isolation on %I.%I
        with check (tenant_id = (select nullif(current_setting(''app.tenant'', true), '''')::uuid))', found.schemaname, found.tablename);
    end if;
  end loop;
end
$$;

set role annals_owner;

create or replace function read.protect(model regclass) returns void
  language plpgsql set search_path = '' as $$
begin
  execute format('alter table %s enable row level security', model);
  execute format('alter table %s force row level security', model);
  execute format('create policy whole_model on %s to projectors, auditor using (true) with check (true)', model);
  execute format('create policy tenant_isolation on %s for select to query_api, workers
    using (tenant_id = (select nullif(current_setting(''app.tenant'', true), '''')::uuid))', model);
  execute format('grant select, insert, update, delete on %s to projectors', model);
  execute format('grant select on %s to query_api, workers, auditor', model);
end
$$;

reset role;
