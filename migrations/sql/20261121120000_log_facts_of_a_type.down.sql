-- A fact is about one stream.
-- The function is changed where it stands: all else of it stays as 20261121003000 made it.
set role annals_owner;

do $change$
declare
  before constant text := pg_get_functiondef((select p.oid from pg_proc p where p.pronamespace = 'log'::regnamespace and p.proname = 'append'));
  after constant text := replace(before, $old$    left join log.streams v on v.tenant_id = r.tenant_id and v.aggregate_type = r.type and v.aggregate_id = r.id;
  if '*' = any (f_id) then -- a fact about all streams of a type: how many events they have together
    for i in 1 .. cardinality(f_id) loop
      if f_id[i] = '*' then
        found[cardinality(s_append) + i] := (select coalesce(sum(v.version), 0) from log.streams v
          where v.tenant_id = f_tenant[i] and v.aggregate_type = f_type[i]);
      end if;
    end loop;
  end if;
$old$, $new$    left join log.streams v on v.tenant_id = r.tenant_id and v.aggregate_type = r.type and v.aggregate_id = r.id;
$new$);
begin
  if before = after then
    raise exception 'log.append is not as expected; look at the migrations that change it';
  end if;
  execute after;
end
$change$;

reset role;
