-- The notary: a role of its own that reads the log and signs it, the tree that it keeps, and what it has signed.
do $$
begin
  begin
    create role notary nologin nosuperuser nobypassrls;
  exception when duplicate_object or unique_violation then
    null; -- another database of this cluster made it
  end;
  begin
    grant notary to current_user;
  exception when others then
    null; -- already a member, or current_user is that role
  end;
end
$$;

set role annals_owner;

create table audit.tree_tiles (
  tenant_id uuid not null,
  epoch integer not null,
  level smallint not null check (level between 0 and 7),
  tile bigint not null check (tile >= 0),
  hashes bytea not null check (octet_length(hashes) between 32 and 8192 and octet_length(hashes) % 32 = 0),
  primary key (tenant_id, epoch, level, tile)
);
comment on table audit.tree_tiles is 'the Merkle tree (RFC 6962) over an organisation''s events, in tiles of 256 hashes: at level 0 leaves, above them the roots of the tiles below';
alter table audit.tree_tiles alter column hashes set storage external; -- hashes do not compress

create table audit.checkpoints (
  tenant_id uuid not null,
  epoch integer not null,
  size bigint not null check (size > 0),
  position bigint not null,
  root bytea not null check (octet_length(root) = 32),
  note text not null,
  signed_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, epoch, size)
);
comment on table audit.checkpoints is 'what the notary has signed: the root of the tree over the first so many events, as a signed note';
comment on column audit.checkpoints.position is 'where the last of these events stands in the log';

create table audit.notary_states (
  tenant_id uuid not null,
  epoch integer not null,
  size bigint not null default 0,
  state text not null check (state in ('signing', 'refusing')),
  reason text,
  tenant_seq bigint,
  event_id uuid,
  since timestamptz not null default clock_timestamp(),
  tried_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, epoch)
) with (fillfactor = 50);
comment on table audit.notary_states is 'how far an organisation''s log is signed, and why the notary refuses to sign more of it';
comment on column audit.notary_states.tenant_seq is 'the first event that is not as it was recorded, where the notary can tell';

-- For readiness, which every process tells and none reads the audit schema for.
create function log.organizations_refused_by_notary() returns bigint
  language sql stable security definer set search_path = ''
  begin atomic
    select count(*) from audit.notary_states n join log.head h on h.epoch = n.epoch where n.state = 'refusing';
  end;
comment on function log.organizations_refused_by_notary is 'of how many organisations the notary refuses to sign the log';

create table secrets.notary_keys (
  kid text primary key,
  public_key bytea not null,
  private_key bytea not null,
  created_at timestamptz not null default now()
);
comment on table secrets.notary_keys is 'Ed25519 keys of checkpoints; the private half is sealed, and the newest signs';

reset role;

do $$
declare
  model text;
begin
  foreach model in array array['tree_tiles', 'checkpoints', 'notary_states'] loop
    execute format('alter table audit.%I enable row level security', model);
    execute format('alter table audit.%I force row level security', model);
    execute format('create policy whole_model on audit.%I to notary, auditor, annals_owner using (true) with check (true)', model);
    execute format('create policy tenant_isolation on audit.%I for select to query_api
      using (tenant_id = (select nullif(current_setting(''app.tenant'', true), '''')::uuid))', model);
    execute format('grant select on audit.%I to notary, query_api, auditor', model);
  end loop;
end
$$;
create policy notary on log.events for select to notary using (true);
create policy notary on log.tenants for select to notary using (true);

grant usage on schema log, audit, secrets to notary;
grant select on log.head, log.events, log.tenants to notary;
grant insert on audit.tree_tiles, audit.checkpoints, audit.notary_states to notary;
grant update (hashes) on audit.tree_tiles to notary;
grant update (size, state, reason, tenant_seq, event_id, since, tried_at) on audit.notary_states to notary;
grant select, insert on secrets.notary_keys to notary;
grant select (kid, public_key, created_at) on secrets.notary_keys to query_api;
revoke all on function log.organizations_refused_by_notary from public;
grant execute on function log.organizations_refused_by_notary to command_api, query_api;
