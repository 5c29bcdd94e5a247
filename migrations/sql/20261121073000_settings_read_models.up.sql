-- The read models of settings and feature flags.
set role annals_owner;

create table read.settings_settings (
  tenant_id uuid not null,
  scope text not null,
  key text not null,
  unit_id uuid,
  value jsonb not null,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, scope, key)
);
comment on table read.settings_settings is 'what organisations and their units have set; what is not here holds by default';

create table read.settings_flags (
  tenant_id uuid not null,
  flag text not null,
  enabled boolean not null,
  rollout_pct integer not null,
  units jsonb not null,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, flag)
);
comment on table read.settings_flags is 'how organisations have switched features; the installation''s environment wins over it';

select read.protect('read.settings_settings');
select read.protect('read.settings_flags');

reset role;
