-- The append as it was.
set role annals_owner;

do $change$
declare
  after text := pg_get_functiondef((select p.oid from pg_proc p where p.pronamespace = 'log'::regnamespace and p.proname = 'append'));
  change text[];
begin
  foreach change slice 1 in array array[
    array[$text$  if pg_advisory_xact_lock(4702111234474983745) is null then end if; -- a plain expression: what is performed is a query
$text$, $text$  perform pg_advisory_xact_lock(4702111234474983745);
$text$],
    array[$text$    if false = any (c_take) then
      delete from log.claims k
       using unnest(c_append, c_tenant, c_type, c_id, c_namespace, c_key, c_take) c (append, tenant_id, type, id, namespace, key, take)
       where not c.take and not refused[c.append]
         and k.tenant_id = c.tenant_id and k.namespace = c.namespace and k.key = c.key
         and k.aggregate_type = c.type and k.aggregate_id = c.id;
    end if;
    insert into log.claims
    select c.tenant_id, c.namespace, c.key, c.type, c.id, firsts[c.append]
$text$, $text$    delete from log.claims k
     using unnest(c_append, c_tenant, c_type, c_id, c_namespace, c_key, c_take) c (append, tenant_id, type, id, namespace, key, take)
     where not c.take and not refused[c.append]
       and k.tenant_id = c.tenant_id and k.namespace = c.namespace and k.key = c.key
       and k.aggregate_type = c.type and k.aggregate_id = c.id;
    insert into log.claims
    select distinct c.tenant_id, c.namespace, c.key, c.type, c.id, firsts[c.append]
$text$]
  ] loop
    if strpos(after, change[1]) = 0 then
      raise exception 'log.append is not as expected; look at the migrations that change it';
    end if;
    after := replace(after, change[1], change[2]);
  end loop;
  execute after;
end
$change$;

reset role;
