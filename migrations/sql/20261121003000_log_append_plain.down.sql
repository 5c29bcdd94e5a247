-- The append as it was before.
drop function log.append;
set role annals_owner;

-- Appends a batch for many commands in one transaction: refuses each append that may not, without failing its neighbours.
-- Arrays starting with a_ have one element per append, s_ per stream written, f_ per fact used, c_ per claim, e_ per event;
-- *_append is the 1-based index of the append. A fact that several appends lean on is sent once; f_append and f_fact then pair the
-- appends with the facts they lean on. Tenant, type and id are repeated in s_, c_ and e_, because looking them up
-- by index costs more than sending them. The caller never puts two appends into one batch of which one could refuse the other.
create function log.append(
  a_tenant uuid[], a_key text[], a_fingerprint bytea[],
  s_append integer[], s_tenant uuid[], s_type text[], s_id text[], s_expected bigint[],
  f_append integer[], f_tenant uuid[], f_type text[], f_id text[], f_version bigint[],
  c_append integer[], c_tenant uuid[], c_type text[], c_id text[], c_namespace text[], c_key text[], c_take boolean[],
  e_append integer[], e_tenant uuid[], e_aggregate_type text[], e_aggregate_id text[],
  e_id uuid[], e_type text[], e_version text[], e_payload text[], e_metadata text[], e_digest bytea[] default null, f_fact integer[] default null,
  out append integer, out reason text, out detail text,
  out first_position bigint, out last_position bigint, out last_tenant_seq bigint, out recorded_at timestamptz,
  out epoch integer
) returns setof record
  language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  refused boolean[] := array_fill(false, array[cardinality(a_tenant)]);
  any_refused boolean := false;
  has_keys constant boolean := cardinality(array_remove(a_key, null)) > 0;
  bad record;
  found bigint[];
  expected bigint[];
  head_position bigint;
  room bigint;
begin
  perform pg_advisory_xact_lock(4702111234474983745);
  select h.position, h.epoch, h.partitioned_to into strict head_position, epoch, room from log.head h;
  while head_position + cardinality(e_id) + 1000000 >= room loop
    perform log.add_partition();
    select h.partitioned_to into strict room from log.head h;
  end loop;

  -- 1. keys seen before: the answer is the one given then
  if has_keys then
    for bad in
      select a.ord, i.fingerprint = a.fingerprint as same, i.first_position, i.last_position, i.recorded_at
        from unnest(a_tenant, a_key, a_fingerprint) with ordinality a (tenant_id, key, fingerprint, ord)
        join log.idempotency i on i.tenant_id = a.tenant_id and i.key = a.key
    loop
      refused[bad.ord] := true; any_refused := true;
      append := bad.ord; reason := case when bad.same then 'replay' else 'key_reused' end; detail := null;
      first_position := bad.first_position; last_position := bad.last_position; recorded_at := bad.recorded_at;
      return next;
    end loop;
  end if;
  recorded_at := clock_timestamp();
  first_position := null; last_position := null;

  -- 2. streams that are not where the decision found them, and facts that are not what the decision used
  expected := s_expected || f_version;
  select array_agg(coalesce(v.version, 0) order by r.ord) into found
    from unnest(s_tenant || f_tenant, s_type || f_type, s_id || f_id) with ordinality r (tenant_id, type, id, ord)
    left join log.streams v on v.tenant_id = r.tenant_id and v.aggregate_type = r.type and v.aggregate_id = r.id;
  for i in 1 .. coalesce(cardinality(found), 0) loop
    continue when expected[i] is null or expected[i] = found[i];
    any_refused := true;
    reason := case when i <= cardinality(s_append) then 'version' else 'fact' end;
    detail := (s_type || f_type)[i] || '/' || (s_id || f_id)[i] || '@' || found[i];
    foreach append in array case when i <= cardinality(s_append) then array[s_append[i]] else
      (select array_agg(u.append) from unnest(f_append, f_fact) with ordinality u (append, fact, ord)
        where coalesce(u.fact, u.ord) = i - cardinality(s_append)) end
    loop
      continue when refused[append];
      refused[append] := true;
      return next;
    end loop;
  end loop;

  -- 3. claims held by others
  if cardinality(c_append) > 0 then
    for bad in
      select c.append, c.namespace || '/' || c.key as detail
        from unnest(c_append, c_tenant, c_type, c_id, c_namespace, c_key, c_take) c (append, tenant_id, type, id, namespace, key, take)
        join log.claims k on k.tenant_id = c.tenant_id and k.namespace = c.namespace and k.key = c.key
       where c.take and (k.aggregate_type <> c.type or k.aggregate_id <> c.id)
    loop
      continue when refused[bad.append];
      refused[bad.append] := true; any_refused := true;
      append := bad.append; reason := 'claim'; detail := bad.detail;
      return next;
    end loop;
  end if;

  -- 4. what passed is numbered, chained and stored, by one statement: each further one costs more than all of its parts
  return query
  with placed as (
    select e.*, v.version, t.tenant_seq, coalesce(t.chain, '\x') as head
      from unnest(e_append, e_tenant, e_aggregate_type, e_aggregate_id, e_id, e_type, e_version, e_payload, e_metadata, e_digest)
           with ordinality e (append, tenant_id, aggregate_type, aggregate_id, id, type, event_version, payload, metadata, digest, ord)
      left join log.streams v on v.tenant_id = e.tenant_id
            and v.aggregate_type = e.aggregate_type and v.aggregate_id = e.aggregate_id
      left join log.tenants t on t.tenant_id = e.tenant_id
     where not any_refused or not refused[e.append]
  ), numbered as (
    select p.*,
           head_position + row_number() over (order by p.ord) as position,
           coalesce(p.tenant_seq, 0) + row_number() over (partition by p.tenant_id order by p.ord) as new_tenant_seq,
           coalesce(p.version, 0) + row_number() over (
             partition by p.tenant_id, p.aggregate_type, p.aggregate_id order by p.ord) as sequence
      from placed p
  ), chained as materialized (
    select n.append, n.position, n.tenant_id, n.new_tenant_seq, n.aggregate_type, n.aggregate_id, n.sequence,
           n.id, n.type, n.event_version, n.payload, n.metadata,
           log.chain(n.head,
               int8send(n.new_tenant_seq) || int8send(n.sequence) || int8send((extract(epoch from recorded_at) * 1000000)::bigint),
               coalesce(n.digest, log.digest(n.tenant_id, n.aggregate_type, n.aggregate_id, n.id, n.type, n.event_version, n.metadata, n.payload)))
             over (partition by n.tenant_id order by n.ord) as chain
      from numbered n
  ), stored as (
    insert into log.events
    select c.position, c.tenant_id, c.new_tenant_seq, c.aggregate_type, c.aggregate_id, c.sequence,
           c.id, c.type, c.event_version, c.payload::json, c.metadata::json, recorded_at, c.chain
      from chained c
  ), versions as (
    insert into log.streams as old
    select c.tenant_id, c.aggregate_type, c.aggregate_id, max(c.sequence)
      from chained c group by 1, 2, 3
    on conflict on constraint streams_pkey do update set version = excluded.version
  ), tenants as (
    insert into log.tenants as old
    select distinct on (c.tenant_id) c.tenant_id, c.new_tenant_seq, c.chain
      from chained c order by c.tenant_id, c.new_tenant_seq desc
    on conflict on constraint tenants_pkey do update set tenant_seq = excluded.tenant_seq, chain = excluded.chain
  ), head as (
    update log.head h set position = head_position + n.count
      from (select count(*) as count from chained) n where n.count > 0
  ), keys as (
    insert into log.idempotency
    select a.tenant_id, a.key, a.fingerprint, min(c.position), max(c.position), recorded_at
      from unnest(a_tenant, a_key, a_fingerprint) with ordinality a (tenant_id, key, fingerprint, ord)
      join chained c on c.append = a.ord
     where has_keys and a.key is not null group by a.tenant_id, a.key, a.fingerprint
  )
  select c.append, null::text, null::text, min(c.position), max(c.position), max(c.new_tenant_seq), recorded_at, epoch
    from chained c group by c.append;

  if cardinality(c_append) > 0 then
    delete from log.claims k
     using unnest(c_append, c_tenant, c_type, c_id, c_namespace, c_key, c_take) c (append, tenant_id, type, id, namespace, key, take)
     where not c.take and not refused[c.append]
       and k.tenant_id = c.tenant_id and k.namespace = c.namespace and k.key = c.key
       and k.aggregate_type = c.type and k.aggregate_id = c.id;
    insert into log.claims
    select distinct c.tenant_id, c.namespace, c.key, c.type, c.id, head_position + 1
      from unnest(c_append, c_tenant, c_type, c_id, c_namespace, c_key, c_take) c (append, tenant_id, type, id, namespace, key, take)
     where c.take and not refused[c.append]
    on conflict on constraint claims_pkey do nothing;
  end if;
end
$$;
comment on function log.append is 'the only way into the log';

reset role;
revoke all on function log.append from public;
grant execute on function log.append to command_api;
