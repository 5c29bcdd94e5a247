-- The read models of identity.
set role annals_owner;

create table read.identity_organizations (
  tenant_id uuid primary key,
  organization_id uuid not null,
  name text not null,
  slug text not null,
  time_zone text not null,
  locale text not null,
  currency text not null,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null
);
comment on table read.identity_organizations is 'the organisations, one row each';

create table read.identity_units (
  tenant_id uuid not null,
  unit_id uuid not null,
  kind text not null,
  code text not null,
  name text not null,
  parent_id uuid,
  path jsonb not null,
  time_zone text,
  closed_at timestamptz,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, unit_id)
);
comment on table read.identity_units is 'the units of organisations';
comment on column read.identity_units.path is 'ids from the unit itself up to the top';
create index identity_units_code_idx on read.identity_units (tenant_id, code);

create table read.identity_users (
  tenant_id uuid not null,
  user_id uuid not null,
  handle text not null,
  display_name text not null,
  email text,
  locale text not null,
  time_zone text not null,
  status text not null,
  deactivated_at timestamptz,
  deactivation_reason text,
  has_password boolean not null,
  login_failures integer not null,
  locked_until timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, user_id)
);
comment on table read.identity_users is 'the users of organisations, without their secrets';
comment on column read.identity_users.status is 'active or deactivated';
create index identity_users_handle_idx on read.identity_users (tenant_id, handle);
create index identity_users_created_at_idx on read.identity_users (tenant_id, created_at, user_id);

create table read.identity_sessions (
  tenant_id uuid not null,
  session_id uuid not null,
  user_id uuid not null,
  amr jsonb not null,
  ip text,
  user_agent text,
  rotation integer not null,
  expires_at timestamptz not null,
  reuse_detected_at timestamptz,
  revoked_at timestamptz,
  revocation_reason text,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, session_id)
);
comment on table read.identity_sessions is 'the sessions of users, open and ended';
create index identity_sessions_user_id_idx on read.identity_sessions (tenant_id, user_id, created_at);

select read.protect('read.identity_organizations');
select read.protect('read.identity_units');
select read.protect('read.identity_users');
select read.protect('read.identity_sessions');

reset role;
