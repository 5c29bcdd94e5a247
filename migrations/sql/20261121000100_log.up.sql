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

-- What an event says, as one hash. The writer computes it beside the log and hands it in, because hashing under the log's lock
-- would slow everybody down; whoever verifies computes it again from the stored bytes.
create function log.digest(
  tenant_id uuid, aggregate_type text, aggregate_id text, event_id uuid, event_type text, event_version text,
  metadata text, payload text
) returns bytea
  language sql stable parallel safe
  return sha256(convert_to('annals-entry/v1', 'UTF8') || uuid_send(tenant_id)
    || log.part(convert_to(aggregate_type, 'UTF8')) || log.part(convert_to(aggregate_id, 'UTF8'))
    || uuid_send(event_id) || log.part(convert_to(event_type, 'UTF8')) || log.part(convert_to(event_version, 'UTF8'))
    || log.part(convert_to(metadata, 'UTF8')) || log.part(convert_to(payload, 'UTF8')));

-- The head of an organisation's chain after an event: what came before, where the event stands and when, and what it says.
create function log.link(state bytea, head bytea, place bytea, digest bytea) returns bytea
  language plpgsql immutable parallel safe as $$
begin
  return sha256('\x616e6e616c732d636861696e2f7631'::bytea || coalesce(state, head) || place || digest); -- 'annals-chain/v1'
end
$$;
create aggregate log.chain(bytea, bytea, bytea) (sfunc = log.link, stype = bytea);

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

-- A stream from its newest snapshot on, if it has one of this shape: the snapshot first, then what happened since.
create function log.load(of_tenant uuid, of_type text, of_id text, shape bigint)
  returns table (sequence bigint, payload text, is_snapshot boolean)
  language sql stable security definer set search_path = ''
  begin atomic
    with newest as materialized (
      select s.last_sequence, s.payload::text as payload from log.snapshots s
       where s.tenant_id = of_tenant and s.aggregate_type = of_type and s.aggregate_id = of_id
         and s.current_snapshot = shape
    )
    select n.last_sequence, n.payload, true from newest n
    union all
    select e.sequence, e.payload::text, false
      from log.events e
     where e.tenant_id = of_tenant and e.aggregate_type = of_type and e.aggregate_id = of_id
       and e.sequence > coalesce((select n.last_sequence from newest n), 0)
     order by 3 desc, 1;
  end;

-- The versions of several streams at once, 0 where a stream does not exist.
create function log.versions(of_tenant uuid, kinds text[], ids text[]) returns bigint[]
  language sql stable security definer set search_path = ''
  begin atomic
    select array_agg(coalesce(v.version, 0) order by s.ord)
      from unnest(kinds, ids) with ordinality s (kind, id, ord)
      left join log.streams v on v.tenant_id = of_tenant and v.aggregate_type = s.kind and v.aggregate_id = s.id;
  end;

-- Where an append went whose answer was lost with its connection; by its first event.
create function log.find(of_tenant uuid, of_type text, of_id text, of_event uuid)
  returns table (first_position bigint, last_tenant_seq bigint, recorded_at timestamptz, epoch integer)
  language sql stable security definer set search_path = ''
  begin atomic
    select e.position, e.tenant_seq, e.recorded_at, h.epoch
      from log.events e cross join log.head h
     where e.tenant_id = of_tenant and e.aggregate_type = of_type and e.aggregate_id = of_id and e.event_id = of_event;
  end;

-- The events of one append, to answer a repeated idempotency key from.
create function log.span(of_tenant uuid, first_position bigint, last_position bigint)
  returns table (aggregate_type text, aggregate_id text, sequence bigint, event_id uuid, event_type text, payload text,
                 "position" bigint, epoch integer)
  language sql stable security definer set search_path = ''
  begin atomic
    select e.aggregate_type, e.aggregate_id, e.sequence, e.event_id, e.event_type, e.payload::text, e.position, h.epoch
      from log.events e cross join log.head h
     where e.tenant_id = of_tenant and e.position between first_position and last_position
     order by e.position;
  end;

-- Which stream holds a claim; the nil tenant holds what is unique in the installation.
create function log.claimant(of_tenant uuid, of_namespace text, of_key text) returns text
  language sql stable security definer set search_path = ''
  begin atomic
    select c.aggregate_id from log.claims c
     where c.tenant_id = of_tenant and c.namespace = of_namespace and c.key = of_key;
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
grant execute on function log.stream, log.load, log.versions to command_api, query_api, workers;
grant execute on function log.find, log.span, log.claimant to command_api;
grant select on log.head to command_api, relay, projectors, query_api, workers, auditor;
grant select on log.events to command_api, relay, projectors, query_api, workers, auditor;
grant select on log.streams to command_api, query_api, projectors, workers, auditor;
grant select on log.tenants to query_api, projectors, workers, auditor;
grant select on log.claims, log.idempotency to command_api, workers, auditor;
grant select, insert, update on log.snapshots to command_api;
grant select on log.snapshots to auditor;
