-- API keys: their read model, when each was last used, and the key that acted in the trail.
set role annals_owner;

create table read.identity_api_keys (
  tenant_id uuid not null,
  api_key_id uuid not null,
  user_id uuid not null,
  name text not null,
  scope jsonb not null,
  rotation integer not null,
  rotated_at timestamptz,
  overlap_ends_at timestamptz,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revocation_reason text,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, api_key_id)
);
comment on table read.identity_api_keys is 'the API keys of users, without their secrets; one may have expired by now';
create index identity_api_keys_user_id_idx on read.identity_api_keys (tenant_id, user_id, created_at);

select read.protect('read.identity_api_keys');

create table work.identity_api_key_uses (
  tenant_id uuid not null,
  api_key_id uuid not null,
  last_used_at timestamptz not null,
  primary key (tenant_id, api_key_id)
) with (fillfactor = 70);
comment on table work.identity_api_key_uses is 'when an API key was last used, to a minute; a crash loses the last minute, and nothing depends on it';

create view read.identity_api_keys_used with (security_invoker = true) as
select k.tenant_id, k.api_key_id, k.user_id, k.name, k.scope, k.rotation, k.rotated_at, k.overlap_ends_at, k.expires_at,
       u.last_used_at, k.revoked_at, k.revocation_reason, k.version, k.created_at, k.changed_at
  from read.identity_api_keys k
  left join work.identity_api_key_uses u on u.tenant_id = k.tenant_id and u.api_key_id = k.api_key_id;
comment on view read.identity_api_keys_used is 'the API keys of users, and when each was last used';
grant select on read.identity_api_keys_used to query_api, workers, auditor, projectors;

alter table audit.trail add column api_key_id text;

reset role;

alter table work.identity_api_key_uses enable row level security;
alter table work.identity_api_key_uses force row level security;
create policy tenant_isolation on work.identity_api_key_uses to command_api, query_api, workers
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
create policy whole on work.identity_api_key_uses for select to auditor, projectors using (true);
create policy owner on work.identity_api_key_uses to annals_owner using (true) with check (true);

grant usage on schema work to command_api, projectors;
grant select, insert, update on work.identity_api_key_uses to command_api, query_api;
grant select on work.identity_api_key_uses to workers, auditor, projectors;
