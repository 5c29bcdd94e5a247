-- The append again, as plain statements around one loop: the one statement of before spent most of its time on being started.
drop function log.append;
set role annals_owner;

-- Appends a batch for many commands in one transaction: refuses each append that may not, without failing its neighbours.
-- Arrays starting with a_ have one element per append, s_ per stream written, f_ per fact used, c_ per claim, e_ per event;
-- *_append is the 1-based index of the append, e_stream that of the event's stream in s_. A fact that several appends lean on is
-- sent once; f_append and f_fact then pair the appends with the facts they lean on. Tenant, type and id are repeated in s_, c_ and
-- e_, because looking them up by index costs more than sending them. The caller never puts two appends into one batch of which one
-- could refuse the other. Without e_stream and e_digest the streams and hashes are found here, which takes longer.
-- Answers with a row per append that was refused, and one of no append for all that were stored: their positions follow on each
-- other in the order of their events.
create function log.append(
  a_tenant uuid[], a_key text[], a_fingerprint bytea[],
  s_append integer[], s_tenant uuid[], s_type text[], s_id text[], s_expected bigint[],
  f_append integer[], f_tenant uuid[], f_type text[], f_id text[], f_version bigint[],
  c_append integer[], c_tenant uuid[], c_type text[], c_id text[], c_namespace text[], c_key text[], c_take boolean[],
  e_append integer[], e_tenant uuid[], e_aggregate_type text[], e_aggregate_id text[],
  e_id uuid[], e_type text[], e_version text[], e_payload text[], e_metadata text[], e_digest bytea[] default null,
  f_fact integer[] default null, e_stream integer[] default null,
  out append integer, out reason text, out detail text,
  out first_position bigint, out last_position bigint, out recorded_at timestamptz, out epoch integer
) returns setof record
  language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  events constant integer := cardinality(e_id);
  has_keys constant boolean := cardinality(array_remove(a_key, null)) > 0;
  refused boolean[] := array_fill(false, array[cardinality(a_tenant)]);
  bad record;
  expected bigint[];
  found bigint[];    -- the versions of streams and facts before
  versions bigint[]; -- and after
  any_new boolean := false; -- whether a stream begins
  any_old boolean := false; -- whether a stream grows
  tenants uuid[];
  seqs bigint[];
  heads bytea[];
  any_tenant_new boolean;
  head_position bigint;
  room bigint;
  moment bytea;
  tenant integer := 1;
  stream integer;
  -- per event; null where its append is refused
  positions bigint[] := array_fill(null::bigint, array[events]);
  tenant_seqs bigint[] := array_fill(null::bigint, array[events]);
  sequences bigint[] := array_fill(null::bigint, array[events]);
  chain bytea[] := array_fill(null::bytea, array[events]);
  -- per append
  firsts bigint[] := array_fill(null::bigint, array[cardinality(a_tenant)]);
  lasts bigint[] := array_fill(null::bigint, array[cardinality(a_tenant)]);
begin
  if e_stream is null then
    select s_append || array_agg(0), s_tenant || array_agg(e.tenant_id), s_type || array_agg(e.type), s_id || array_agg(e.id),
           s_expected || array_agg(null::bigint)
      into s_append, s_tenant, s_type, s_id, s_expected
      from (select distinct u.tenant_id, u.type, u.id from unnest(e_tenant, e_aggregate_type, e_aggregate_id) u (tenant_id, type, id)) e;
    select array_agg(m.ord order by m.event) into e_stream
      from (select e.ord as event, max(s.ord) as ord
              from unnest(e_tenant, e_aggregate_type, e_aggregate_id) with ordinality e (tenant_id, type, id, ord)
              join unnest(s_tenant, s_type, s_id) with ordinality s (tenant_id, type, id, ord) using (tenant_id, type, id)
             group by e.ord) m;
  end if;
  if e_digest is null then
    select array_agg(log.digest(e.tenant_id, e.aggregate_type, e.aggregate_id, e.id, e.type, e.version, e.metadata, e.payload) order by e.ord)
      into e_digest
      from unnest(e_tenant, e_aggregate_type, e_aggregate_id, e_id, e_type, e_version, e_metadata, e_payload)
           with ordinality e (tenant_id, aggregate_type, aggregate_id, id, type, version, metadata, payload, ord);
  end if;

  perform pg_advisory_xact_lock(4702111234474983745);
  select h.position, h.epoch, h.partitioned_to into strict head_position, epoch, room from log.head h;
  while head_position + events + 1000000 >= room loop
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
      refused[bad.ord] := true;
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
  if found is distinct from expected then
    for i in 1 .. coalesce(cardinality(found), 0) loop
      continue when expected[i] is null or expected[i] = found[i];
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
  end if;

  -- 3. claims held by others
  if cardinality(c_append) > 0 then
    for bad in
      select c.append, c.namespace || '/' || c.key as detail
        from unnest(c_append, c_tenant, c_type, c_id, c_namespace, c_key, c_take) c (append, tenant_id, type, id, namespace, key, take)
        join log.claims k on k.tenant_id = c.tenant_id and k.namespace = c.namespace and k.key = c.key
       where c.take and (k.aggregate_type <> c.type or k.aggregate_id <> c.id)
    loop
      continue when refused[bad.append];
      refused[bad.append] := true;
      append := bad.append; reason := 'claim'; detail := bad.detail;
      return next;
    end loop;
  end if;

  -- 4. what passed is numbered and chained; the hash is that of log.link, whose call would cost as much again
  select array_agg(a.tenant_id), array_agg(coalesce(t.tenant_seq, 0)), array_agg(coalesce(t.chain, '\x')), bool_or(t.tenant_id is null)
    into tenants, seqs, heads, any_tenant_new
    from (select distinct u.tenant_id from unnest(a_tenant) u (tenant_id)) a left join log.tenants t on t.tenant_id = a.tenant_id;
  moment := int8send((extract(epoch from recorded_at) * 1000000)::bigint);
  versions := found;
  for i in 1 .. events loop
    append := e_append[i];
    continue when refused[append];
    stream := e_stream[i];
    if tenants[tenant] <> e_tenant[i] then
      tenant := array_position(tenants, e_tenant[i]);
    end if;
    head_position := head_position + 1;
    seqs[tenant] := seqs[tenant] + 1;
    versions[stream] := versions[stream] + 1;
    heads[tenant] := sha256('\x616e6e616c732d636861696e2f7631'::bytea || heads[tenant]
      || int8send(seqs[tenant]) || int8send(versions[stream]) || moment || e_digest[i]);
    positions[i] := head_position;
    tenant_seqs[i] := seqs[tenant];
    sequences[i] := versions[stream];
    chain[i] := heads[tenant];
    if lasts[append] is null then
      firsts[append] := head_position;
    end if;
    lasts[append] := head_position;
    any_new := any_new or versions[stream] = 1;
    any_old := any_old or found[stream] > 0;
  end loop;

  -- 5. and stored
  if any_new or any_old then
    insert into log.events
    select e.position, e.tenant_id, e.tenant_seq, e.aggregate_type, e.aggregate_id, e.sequence,
           e.id, e.type, e.version, e.payload::json, e.metadata::json, recorded_at, e.chain
      from unnest(positions, e_tenant, tenant_seqs, e_aggregate_type, e_aggregate_id, sequences, e_id, e_type, e_version, e_payload, e_metadata, chain)
           e (position, tenant_id, tenant_seq, aggregate_type, aggregate_id, sequence, id, type, version, payload, metadata, chain)
     where e.position is not null;
    with moved as (update log.head set position = head_position)
    update log.tenants t set tenant_seq = n.seq, chain = n.head
      from unnest(tenants, seqs, heads) n (tenant_id, seq, head) where t.tenant_id = n.tenant_id;
  end if;
  if any_tenant_new then
    insert into log.tenants select n.tenant_id, n.seq, n.head from unnest(tenants, seqs, heads) n (tenant_id, seq, head) where n.seq > 0
    on conflict on constraint tenants_pkey do nothing;
  end if;
  if any_new then
    insert into log.streams
    select s.tenant_id, s.type, s.id, s.version
      from unnest(s_tenant, s_type, s_id, found, versions) s (tenant_id, type, id, found, version) where s.found = 0 and s.version > 0;
  end if;
  if any_old then
    update log.streams v set version = s.version
      from unnest(s_tenant, s_type, s_id, found, versions) s (tenant_id, type, id, found, version)
     where s.found > 0 and s.version > s.found and v.tenant_id = s.tenant_id and v.aggregate_type = s.type and v.aggregate_id = s.id;
  end if;
  if has_keys then
    insert into log.idempotency
    select a.tenant_id, a.key, a.fingerprint, a.first, a.last, recorded_at
      from unnest(a_tenant, a_key, a_fingerprint, firsts, lasts) a (tenant_id, key, fingerprint, first, last)
     where a.key is not null and a.first is not null;
  end if;
  if cardinality(c_append) > 0 then
    delete from log.claims k
     using unnest(c_append, c_tenant, c_type, c_id, c_namespace, c_key, c_take) c (append, tenant_id, type, id, namespace, key, take)
     where not c.take and not refused[c.append]
       and k.tenant_id = c.tenant_id and k.namespace = c.namespace and k.key = c.key
       and k.aggregate_type = c.type and k.aggregate_id = c.id;
    insert into log.claims
    select distinct c.tenant_id, c.namespace, c.key, c.type, c.id, firsts[c.append]
      from unnest(c_append, c_tenant, c_type, c_id, c_namespace, c_key, c_take) c (append, tenant_id, type, id, namespace, key, take)
     where c.take and not refused[c.append]
    on conflict on constraint claims_pkey do nothing;
  end if;

  if any_new or any_old then
    append := null; reason := null; detail := null;
    first_position := head_position - cardinality(array_remove(positions, null)) + 1; last_position := head_position;
    return next;
  end if;
end
$$;
comment on function log.append is 'the only way into the log';

reset role;
revoke all on function log.append from public;
grant execute on function log.append to command_api;
