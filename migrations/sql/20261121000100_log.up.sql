-- The log: a superset of the table that postgres-es reads, gap-free and commit-ordered, append-only.
set role annals_owner;

create table log.head (
  only_row boolean primary key default true check (only_row),
  epoch integer not null,
  position bigint not null,
  partitioned_to bigint not null,
  born_at timestamptz not null default now()
) with (fillfactor = 50);
comment on table log.head is 'the last position given out, and the epoch in which positions count';
insert into log.head (epoch, position, partitioned_to) values (1, 0, 0);

create table log.tenants (
  tenant_id uuid primary key,
  tenant_seq bigint not null,
  chain bytea not null
) with (fillfactor = 50);
comment on table log.tenants is 'per organisation: its last sequence number and the head of its tamper-evidence chain';

create table log.events (
  position bigint not null primary key,
  tenant_id uuid not null,
  tenant_seq bigint not null,
  aggregate_type text not null,
  aggregate_id text not null,
  sequence bigint not null,
  event_id uuid not null,
  event_type text not null,
  event_version text not null,
  payload json not null,
  metadata json not null,
  recorded_at timestamptz not null,
  chain bytea not null
) partition by range (position);
comment on table log.events is 'every event, once, in order; payload and metadata keep their exact text because it is hashed';
create unique index events_stream_key on log.events (tenant_id, aggregate_type, aggregate_id, sequence, position);
create index events_tenant_idx on log.events (tenant_id, position);

create table log.streams (
  tenant_id uuid not null,
  aggregate_type text not null,
  aggregate_id text not null,
  version bigint not null,
  primary key (tenant_id, aggregate_type, aggregate_id)
) with (fillfactor = 80);
comment on table log.streams is 'the version of every stream; partitions of the log cannot carry one unique index, this can';

create table log.claims (
  tenant_id uuid not null,
  namespace text not null,
  key text not null,
  aggregate_type text not null,
  aggregate_id text not null,
  position bigint not null,
  primary key (tenant_id, namespace, key)
);
comment on table log.claims is 'uniqueness taken inside the append; the nil tenant holds what is unique in the installation';

create table log.idempotency (
  tenant_id uuid not null,
  key text not null,
  fingerprint bytea not null,
  first_position bigint not null,
  last_position bigint not null,
  recorded_at timestamptz not null,
  primary key (tenant_id, key)
);
comment on table log.idempotency is 'which events a client''s idempotency key produced';

create table log.snapshots (
  tenant_id uuid not null,
  aggregate_type text not null,
  aggregate_id text not null,
  last_sequence bigint not null,
  current_snapshot bigint not null,
  payload json not null,
  primary key (tenant_id, aggregate_type, aggregate_id)
);
comment on table log.snapshots is 'folded state of long streams; a cache, never the truth';

-- Canonical bytes of one event, version 1: every variable part is preceded by its length in bytes, so no two events share them.
create function log.part(value bytea) returns bytea
  language sql immutable parallel safe
  return int4send(octet_length(value)) || value;

create function log.entry(
  tenant_id uuid, tenant_seq bigint, aggregate_type text, aggregate_id text, sequence bigint,
  event_id uuid, event_type text, event_version text, recorded_at timestamptz, metadata text, payload text
) returns bytea
  language sql stable parallel safe
  return convert_to('annals-entry/v1', 'UTF8') || uuid_send(tenant_id) || int8send(tenant_seq)
    || log.part(convert_to(aggregate_type, 'UTF8')) || log.part(convert_to(aggregate_id, 'UTF8'))
    || int8send(sequence) || uuid_send(event_id)
    || log.part(convert_to(event_type, 'UTF8')) || log.part(convert_to(event_version, 'UTF8'))
    || int8send((extract(epoch from recorded_at) * 1000000)::bigint)
    || log.part(convert_to(metadata, 'UTF8')) || log.part(convert_to(payload, 'UTF8'));

create function log.chain_step(state bytea, entry bytea, head bytea) returns bytea
  language plpgsql immutable parallel safe as $$
begin
  return sha256('\x616e6e616c732d636861696e2f7631'::bytea || coalesce(state, head) || sha256(entry)); -- 'annals-chain/v1'
end
$$;
create aggregate log.chain(bytea, bytea) (sfunc = log.chain_step, stype = bytea);

create function log.add_partition() returns void
  language plpgsql security definer set search_path = '' as $$
declare
  low bigint;
  size constant bigint := 5000000;
begin
  select partitioned_to into strict low from log.head;
  execute format('create table log.events_%s partition of log.events for values from (%s) to (%s)',
    to_char(low / size, 'FM00000'), case low when 0 then 0 else low end, low + size);
  execute format('alter table log.events_%s enable row level security', to_char(low / size, 'FM00000'));
  execute format('alter table log.events_%s force row level security', to_char(low / size, 'FM00000'));
  execute format('create trigger append_only before update or delete or truncate on log.events_%s
    for each statement execute function log.refuse_change()', to_char(low / size, 'FM00000'));
  update log.head set partitioned_to = low + size;
end
$$;

create function log.refuse_change() returns trigger
  language plpgsql as $$
begin
  raise exception 'the log is append-only: % on %.% is refused', tg_op, tg_table_schema, tg_table_name
    using errcode = 'insufficient_privilege';
end
$$;
create trigger append_only before update or delete or truncate on log.events
  for each statement execute function log.refuse_change();

-- Appends a batch for many commands in one transaction: refuses each append that may not, without failing its neighbours.
-- Arrays starting with a_ have one element per append, s_ per stream written, f_ per fact used, c_ per claim, e_ per event;
-- *_append and *_stream are 1-based indexes. The caller never puts two appends into one batch of which one could refuse the other.
create function log.append(
  a_tenant uuid[], a_key text[], a_fingerprint bytea[],
  s_append integer[], s_type text[], s_id text[], s_expected bigint[],
  f_append integer[], f_type text[], f_id text[], f_version bigint[],
  c_stream integer[], c_global boolean[], c_namespace text[], c_key text[], c_take boolean[],
  e_stream integer[], e_id uuid[], e_type text[], e_version text[], e_payload text[], e_metadata text[],
  out append integer, out reason text, out detail text,
  out first_position bigint, out last_position bigint, out last_tenant_seq bigint, out recorded_at timestamptz,
  out epoch integer
) returns setof record
  language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  refused text[] := array_fill(null::text, array[cardinality(a_tenant)]);
  bad record;
  head_position bigint;
  head_epoch integer;
  room bigint;
  at timestamptz;
begin
  perform pg_advisory_xact_lock(4702111234474983745);
  select h.position, h.epoch, h.partitioned_to into strict head_position, head_epoch, room from log.head h;
  at := clock_timestamp();
  while head_position + cardinality(e_id) + 1000000 >= room loop
    perform log.add_partition();
    select h.partitioned_to into strict room from log.head h;
  end loop;

  for bad in
    select a.ord, i.fingerprint = a.fingerprint as same, i.first_position, i.last_position, i.recorded_at
      from unnest(a_tenant, a_key, a_fingerprint) with ordinality a (tenant_id, key, fingerprint, ord)
      join log.idempotency i on i.tenant_id = a.tenant_id and i.key = a.key
  loop
    refused[bad.ord] := case when bad.same then 'replay' else 'key_reused' end;
    append := bad.ord; reason := refused[bad.ord]; detail := null;
    first_position := bad.first_position; last_position := bad.last_position;
    last_tenant_seq := null; recorded_at := bad.recorded_at; epoch := head_epoch;
    return next;
  end loop;

  for bad in
    select s.append, s.type || '/' || s.id || '@' || coalesce(v.version, 0) as found
      from unnest(s_append, s_type, s_id, s_expected) s (append, type, id, expected)
      left join log.streams v
        on v.tenant_id = a_tenant[s.append] and v.aggregate_type = s.type and v.aggregate_id = s.id
     where s.expected is not null and s.expected <> coalesce(v.version, 0)
  loop
    continue when refused[bad.append] is not null;
    refused[bad.append] := 'version';
    append := bad.append; reason := 'version'; detail := bad.found;
    first_position := null; last_position := null; last_tenant_seq := null; recorded_at := at; epoch := head_epoch;
    return next;
  end loop;

  if cardinality(f_append) > 0 then
    for bad in
      select f.append, f.type || '/' || f.id || '@' || coalesce(v.version, 0) as found
        from unnest(f_append, f_type, f_id, f_version) f (append, type, id, version)
        left join log.streams v
          on v.tenant_id = a_tenant[f.append] and v.aggregate_type = f.type and v.aggregate_id = f.id
       where f.version <> coalesce(v.version, 0)
    loop
      continue when refused[bad.append] is not null;
      refused[bad.append] := 'fact';
      append := bad.append; reason := 'fact'; detail := bad.found;
      first_position := null; last_position := null; last_tenant_seq := null; recorded_at := at; epoch := head_epoch;
      return next;
    end loop;
  end if;

  if cardinality(c_stream) > 0 then
    for bad in
      select s_append[c.stream] as append, c.namespace || '/' || c.key as found
        from unnest(c_stream, c_global, c_namespace, c_key, c_take) c (stream, global, namespace, key, take)
        join log.claims k
          on k.tenant_id = case when c.global then '00000000-0000-0000-0000-000000000000'::uuid else a_tenant[s_append[c.stream]] end
         and k.namespace = c.namespace and k.key = c.key
       where c.take and (k.aggregate_type <> s_type[c.stream] or k.aggregate_id <> s_id[c.stream])
    loop
      continue when refused[bad.append] is not null;
      refused[bad.append] := 'claim';
      append := bad.append; reason := 'claim'; detail := bad.found;
      first_position := null; last_position := null; last_tenant_seq := null; recorded_at := at; epoch := head_epoch;
      return next;
    end loop;
  end if;

  return query
  with placed as materialized (
    select e.ord, s_append[e.stream] as append, a_tenant[s_append[e.stream]] as tenant_id,
           s_type[e.stream] as aggregate_type, s_id[e.stream] as aggregate_id,
           e.id, e.type, e.version, e.payload, e.metadata,
           head_position + row_number() over (order by e.ord) as position,
           coalesce(t.tenant_seq, 0) + row_number() over (partition by a_tenant[s_append[e.stream]] order by e.ord) as tenant_seq,
           coalesce(v.version, 0) + row_number() over (
             partition by a_tenant[s_append[e.stream]], s_type[e.stream], s_id[e.stream] order by e.ord) as sequence,
           coalesce(t.chain, '\x') as head
      from unnest(e_stream, e_id, e_type, e_version, e_payload, e_metadata)
           with ordinality e (stream, id, type, version, payload, metadata, ord)
      left join log.tenants t on t.tenant_id = a_tenant[s_append[e.stream]]
      left join log.streams v on v.tenant_id = a_tenant[s_append[e.stream]]
            and v.aggregate_type = s_type[e.stream] and v.aggregate_id = s_id[e.stream]
     where refused[s_append[e.stream]] is null
  ), chained as materialized (
    select p.*, log.chain(log.entry(p.tenant_id, p.tenant_seq, p.aggregate_type, p.aggregate_id, p.sequence,
             p.id, p.type, p.version, at, p.metadata, p.payload), p.head)
           over (partition by p.tenant_id order by p.ord) as chain
      from placed p
  ), stored as (
    insert into log.events
    select c.position, c.tenant_id, c.tenant_seq, c.aggregate_type, c.aggregate_id, c.sequence,
           c.id, c.type, c.version, c.payload::json, c.metadata::json, at, c.chain
      from chained c order by c.position
  ), versions as (
    insert into log.streams as old
    select c.tenant_id, c.aggregate_type, c.aggregate_id, max(c.sequence)
      from chained c group by 1, 2, 3
    on conflict on constraint streams_pkey do update set version = excluded.version
  ), tenants as (
    insert into log.tenants as old
    select distinct on (c.tenant_id) c.tenant_id, c.tenant_seq, c.chain
      from chained c order by c.tenant_id, c.tenant_seq desc
    on conflict on constraint tenants_pkey do update set tenant_seq = excluded.tenant_seq, chain = excluded.chain
  ), head as (
    update log.head set position = head_position + (select count(*) from placed)
     where exists (select from placed)
  ), taken as (
    insert into log.claims as old
    select distinct case when c.global then '00000000-0000-0000-0000-000000000000'::uuid else a_tenant[s_append[c.stream]] end,
           c.namespace, c.key, s_type[c.stream], s_id[c.stream], head_position + 1
      from unnest(c_stream, c_global, c_namespace, c_key, c_take) c (stream, global, namespace, key, take)
     where c.take and refused[s_append[c.stream]] is null
    on conflict on constraint claims_pkey do nothing
  ), released as (
    delete from log.claims k
     using unnest(c_stream, c_global, c_namespace, c_key, c_take) c (stream, global, namespace, key, take)
     where not c.take and refused[s_append[c.stream]] is null
       and k.tenant_id = case when c.global then '00000000-0000-0000-0000-000000000000'::uuid else a_tenant[s_append[c.stream]] end
       and k.namespace = c.namespace and k.key = c.key
       and k.aggregate_type = s_type[c.stream] and k.aggregate_id = s_id[c.stream]
  ), keys as (
    insert into log.idempotency
    select a_tenant[c.append], a_key[c.append], a_fingerprint[c.append], min(c.position), max(c.position), at
      from chained c where a_key[c.append] is not null group by c.append
  )
  select c.append, null::text, null::text, min(c.position), max(c.position), max(c.tenant_seq), at, head_epoch
    from chained c group by c.append;
end
$$;
comment on function log.append is 'the only way into the log';

-- One stream's events after a version, for folding; one round trip, no tenant setting needed because the tenant is an argument.
create function log.stream(of_tenant uuid, of_type text, of_id text, after bigint)
  returns table (sequence bigint, event_type text, event_version text, payload text)
  language sql stable security definer set search_path = ''
  begin atomic
    select e.sequence, e.event_type, e.event_version, e.payload::text
      from log.events e
     where e.tenant_id = of_tenant and e.aggregate_type = of_type and e.aggregate_id = of_id and e.sequence > after
     order by e.sequence;
  end;

reset role;

alter table log.head enable row level security;
alter table log.head force row level security;
create policy everyone on log.head using (true);
do $$
declare
  name text;
begin
  foreach name in array array['tenants', 'events', 'streams', 'claims', 'idempotency', 'snapshots'] loop
    execute format('alter table log.%I enable row level security', name);
    execute format('alter table log.%I force row level security', name);
    execute format('create policy whole_log on log.%I to annals_owner, relay, projectors, workers, auditor using (true) with check (true)', name);
    execute format('create policy tenant_isolation on log.%I to command_api, query_api
      using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
      with check (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end
$$;

revoke all on all functions in schema log from public;
grant execute on function log.append to command_api;
grant execute on function log.stream to command_api, query_api, workers;
grant select on log.head to command_api, relay, projectors, query_api, workers, auditor;
grant select on log.events to command_api, relay, projectors, query_api, workers, auditor;
grant select on log.streams to command_api, query_api, projectors, workers, auditor;
grant select on log.tenants to query_api, projectors, workers, auditor;
grant select on log.claims, log.idempotency to command_api, workers, auditor;
grant select, insert, update on log.snapshots to command_api;
grant select on log.snapshots to auditor;
