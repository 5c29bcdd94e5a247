-- Ciphertext of what an event must never carry, and the public halves of signing keys.
set role annals_owner;

create table secrets.secrets (
  tenant_id uuid not null,
  secret_id uuid not null,
  kind text not null,
  sealed bytea not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, secret_id)
);
comment on table secrets.secrets is 'password hashes and the like under AES-256-GCM; events carry the id';

create table secrets.signing_keys (
  kid text primary key,
  public_key bytea not null,
  private_key bytea not null,
  created_at timestamptz not null default now(),
  not_after timestamptz not null
);
comment on table secrets.signing_keys is 'Ed25519 keys of access tokens; the private half is sealed';

reset role;

alter table secrets.secrets enable row level security;
alter table secrets.secrets force row level security;
create policy tenant_isolation on secrets.secrets to command_api
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
create policy backup on secrets.secrets for select to workers using (true);
create policy owner on secrets.secrets to annals_owner using (true) with check (true);

grant select, insert, delete on secrets.secrets to command_api;
grant select on secrets.secrets to workers;
grant select, insert on secrets.signing_keys to command_api;
grant usage on schema secrets to query_api;
grant select (kid, public_key, created_at, not_after) on secrets.signing_keys to query_api, workers;
