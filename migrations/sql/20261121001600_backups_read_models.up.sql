-- The read model of backups.
set role annals_owner;

create table read.backups_backups (
  tenant_id uuid not null,
  backup_id uuid not null,
  name text not null,
  scope text not null,
  requested_by text,
  status text not null,
  attempts integer not null,
  worker text,
  to_position bigint,
  events bigint,
  size_bytes bigint,
  location text,
  manifest_sha256 text,
  key_id text,
  error_code text,
  error_message text,
  verification text not null,
  verified_at timestamptz,
  checks bigint,
  verification_errors jsonb not null,
  started_at timestamptz,
  ended_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, backup_id)
);
comment on table read.backups_backups is 'the backups, with what the latest verification found';
comment on column read.backups_backups.status is 'queued, running, completed or failed';
comment on column read.backups_backups.verification is 'none, requested, passed or failed';
create index backups_backups_created_at_idx on read.backups_backups (tenant_id, created_at, backup_id);

select read.protect('read.backups_backups');

reset role;
